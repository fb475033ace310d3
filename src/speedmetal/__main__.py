"""``python -m speedmetal``: the same as the console script."""

from speedmetal.cli import main

if __name__ == "__main__":
    main()
