"""PageRank: which pages of a web a reader sees most who follows links at random.

python examples/page_rank.py --pages 20000 --links 8
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

FOLLOWED = 0.85  # how often the reader follows a link; else any page comes next


def random_web(pages: int, links: int) -> tuple[np.ndarray, np.ndarray]:
    """From which page to which each link leads: often to pages that others link to already."""
    generator = np.random.default_rng(8)
    sources = np.repeat(np.arange(1, pages), links)
    targets = np.zeros(len(sources), np.int64)
    for page in range(1, pages):
        first = (page - 1) * links
        # A page that exists, or where an earlier link leads to, with equal chances.
        anywhere = generator.integers(0, page, links)
        popular = targets[generator.integers(0, max(first, 1), links)]
        targets[first : first + links] = np.where(generator.random(links) < 0.5, anywhere, popular)
    return sources, targets


def page_rank(
    steps: sm.sparse.CSRArray, has_no_link: sm.Array, tolerance: float
) -> tuple[sm.Array, int]:
    """The chances to be at each page, and how many iterations it took to find them.

    Args:
        steps: ``steps[j, i]`` is the chance to go from page ``i`` to page ``j``.
        has_no_link: 1 for pages from which any page may come next, else 0.
        tolerance: How much the chances, which add up to 1, may still change in all.
    """
    pages = steps.shape[0]
    rank = sm.full(pages, 1 / pages)
    for iteration in range(1, 1000):
        lost = sm.sum(rank * has_no_link)
        following = FOLLOWED * (steps @ rank + lost / pages) + (1 - FOLLOWED) / pages
        change = float(sm.sum(abs(following - rank)))
        rank = following
        if change < tolerance:
            return rank, iteration
    raise RuntimeError(f"the ranks still change by {change}")


def page_rank_numpy(sources: np.ndarray, targets: np.ndarray, pages: int) -> np.ndarray:
    """The same in float64, link by link."""
    degrees = np.bincount(sources, minlength=pages)
    rank = np.full(pages, 1 / pages)
    for _ in range(200):
        weights = rank[sources] / degrees[sources]
        seen = np.bincount(targets, weights, minlength=pages) + rank[degrees == 0].sum() / pages
        rank = FOLLOWED * seen + (1 - FOLLOWED) / pages
    return rank


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=20_000)
    parser.add_argument("--links", type=int, default=8, help="of each page")
    options = parser.parse_args(argv)

    pages = options.pages
    sources, targets = random_web(pages, options.links)
    degrees = np.bincount(sources, minlength=pages)
    chances = (1 / degrees[sources]).astype(np.float32)
    steps = sm.sparse.coo_array(chances, targets, sources, (pages, pages))
    has_no_link = sm.array((degrees == 0).astype(np.float32))
    rank, iterations = page_rank(steps, has_no_link, tolerance=1e-6)

    expected = page_rank_numpy(sources, targets, pages)
    np.testing.assert_allclose(rank.numpy(), expected, rtol=1e-3)
    print(f"{pages} pages, {len(sources)} links, {iterations} iterations; equal to NumPy's")
    best = rank.numpy().argsort()[::-1][:3]
    print("seen most:", ", ".join(f"page {page} ({rank[page].item():.2%})" for page in best))


if __name__ == "__main__":
    main()
