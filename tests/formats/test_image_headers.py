"""Images that cannot be read are reported from their headers."""

from PIL import Image


def test_each_unreadable_image_is_reported_once_together_with_the_bad_rows(
    labels, tmp_path, problems_of
):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "words.jpg").write_text("not an image")
    path = labels(
        "empty.jpg,cat,1,2,3,4",
        "words.jpg,cat,1,2,3,4",
        "words.jpg,cat,5,6,7,8",
        "aa.png,cat,1,2,3,4",
        "b.png,cat,9,2,7,6",
    )
    empty, words, missing, inverted = problems_of(path)
    assert empty.startswith("labels.csv:2: ")
    assert "is empty (0 bytes)" in empty
    assert words.startswith("labels.csv:3: ")
    assert "not an image" in words
    assert missing.startswith(f"labels.csv:5: image {tmp_path / 'aa.png'} does not exist.")
    assert "Did you mean a.png?" in missing
    assert inverted.startswith("labels.csv:6: box 9, 2, 7, 6")


def test_a_decompression_bomb_is_refused_by_its_header(labels, tmp_path, problems_of, monkeypatch):
    Image.new("1", (4000, 3000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr("onebox.images.MAX_PIXELS", 10_000_000)
    (problem,) = problems_of(labels("bomb.png,cat,1,2,3,4"))
    assert "has more than the" in problem
