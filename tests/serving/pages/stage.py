"""Draws on the element ``stage`` of a page, in pixels of the image that it shows."""


class Stage:
    """The stage of a page, through the attributes that it states for scripts."""

    def __init__(self, page):
        self.page = page

    def wait(self, number=None):
        """Wait until a picture is shown."""
        image = "" if number is None else f"[data-image-id='{number:016x}']"
        self.page.wait_for_selector(f"#stage{image}[data-state=ready]")
        return self

    def point(self, x, y):
        """The point of the window at a point of the image."""
        stage = self.page.locator("#stage")
        frame = stage.bounding_box()
        scale, left, top = (
            float(stage.get_attribute(f"data-{name}")) for name in ("scale", "left", "top")
        )
        return frame["x"] + left + x * scale, frame["y"] + top + y * scale

    def click(self, x, y):
        self.page.mouse.click(*self.point(x, y))

    def drag(self, start, end):
        """Press at a point of the image, move to another, release."""
        mouse = self.page.mouse
        mouse.move(*self.point(*start))
        mouse.down()
        mouse.move(*self.point(*[(a + b) / 2 for a, b in zip(start, end, strict=True)]))
        mouse.move(*self.point(*end))
        mouse.up()

    def draw(self, box):
        self.drag(box[:2], box[2:])
