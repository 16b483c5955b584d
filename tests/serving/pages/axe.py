"""What axe-core finds on a page."""

import pytest

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page):
    """Rule and element of each violation of WCAG 2.2 A and AA, and of good practice."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page, options={"runOnly": TAGS}).response["violations"]
    return [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]]
