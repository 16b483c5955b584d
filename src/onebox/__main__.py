"""``python -m onebox``: the same as the command ``onebox``."""

from onebox.cli import main

if __name__ == "__main__":
    main()
