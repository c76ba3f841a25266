"""`python -m runtime` is `tagsight`, for where the package is there and its command is not on the path."""

from runtime.cli import main

if __name__ == "__main__":
    main()
