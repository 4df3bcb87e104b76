"""Drawn areas cut into objects of bounded size, and the surroundings of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]

#: Longest piece of a line, pixels; side of the tiles that a wide area is cut into.
PIECE_PX, TILE_PX = 32, 16
#: What is still wide when so many layers of pixels are taken off each side is an area, not a line.
LAYERS = 6
#: A branch shorter than this that hangs on a junction is a rough edge, not a piece.
SPUR_PX = 5
#: Surroundings lie farther than the first and at most the second from anything drawn, pixels. The first keeps
#: the blurred edge of an object out of its surroundings.
NEAREST_PX, FARTHEST_PX = 3, 16
#: Surroundings smaller than this are too small to compare with.
LEAST_PX = 100

_AREA, _JUNCTION = -1, -2


def pieces(labels: NDArray[np.uint8]) -> Ids:
    """[y, x] number of the object that each drawn pixel belongs to, from 1; 0 where nothing is drawn.

    Lines are thinned to their middle (Zhang and Suen, Commun. ACM 27, 236 (1984)) and cut at junctions and at
    every `PIECE_PX`; areas are cut into tiles; every drawn pixel then joins the nearest of these along a way
    through what is drawn. A spot is one object.
    """
    height, width = labels.shape
    padded = np.zeros((height + 2, width + 2), np.uint8)
    padded[1:-1, 1:-1] = labels != 0
    middle = padded.copy()
    _thin(middle, LAYERS)
    ids = _cut(middle)
    _grow(padded, ids)
    return np.ascontiguousarray(ids[1:-1, 1:-1])


def surroundings(ids: Ids) -> tuple[Ids, Ids]:
    """Where nothing is drawn, to whose surroundings each pixel belongs; and whose are taken for whose.

    Each such pixel belongs to the object that is nearest, and to no other, so that the surroundings of
    different objects share no photons. An object in the middle of an area has none, or too few; those of the
    nearest object that has enough, along a way through what is drawn, are taken for it.

    Args:
        ids: [y, x] as of `pieces`.

    Returns:
        [y, x] numbers, 0 elsewhere; [object] the number whose surroundings stand for it, 0 where none do;
        element 0 is of no object.
    """
    around = _around(ids, NEAREST_PX, FARTHEST_PX)
    own = np.bincount(around.ravel(), minlength=int(ids.max(initial=0)) + 1) >= LEAST_PX
    own[0] = False
    return around, _lent(ids, own)


def sums(ids: Ids, photons: NDArray[np.float32], size: int) -> tuple[Floats, Floats]:
    """[object] photons and pixels of each number below `size`; 0 for number 0, which is of no object."""
    return _sums(ids, plain(photons), size)


@compiled
def _sums(ids: Ids, photons: NDArray[np.float32], size: int) -> tuple[Floats, Floats]:
    found, pixels = np.zeros(size), np.zeros(size)
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            if ids[y, x]:
                found[ids[y, x]] += photons[y, x]
                pixels[ids[y, x]] += 1.0
    return found, pixels


@compiled
def _goes(image: NDArray[np.uint8], y: int, x: int, second: int) -> bool:
    """Whether a pixel can be taken off: from the south-east first, then from the north-west."""
    n, e, s, w = image[y - 1, x], image[y, x + 1], image[y + 1, x], image[y, x - 1]
    if n and e and s and w:
        return False
    ne, se, sw, nw = image[y - 1, x + 1], image[y + 1, x + 1], image[y + 1, x - 1], image[y - 1, x - 1]
    if not 2 <= n + ne + e + se + s + sw + w + nw <= 6:
        return False
    steps = (n < ne) + (ne < e) + (e < se) + (se < s) + (s < sw) + (sw < w) + (w < nw) + (nw < n)
    if steps != 1:
        return False
    if second:
        return not (n and w and (e or s))
    return not (e and s and (n or w))


@compiled
def _thin(image: NDArray[np.uint8], layers: int) -> None:
    """Take layers off a padded image until only its middle is left, or for so many layers."""
    height, width = image.shape
    left = np.empty((image.size, 2), np.int32)
    doomed = np.empty((image.size, 2), np.int32)
    count = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if image[y, x]:
                left[count, 0], left[count, 1] = y, x
                count += 1
    for _ in range(layers):
        gone = 0
        for second in range(2):
            dooms = 0
            for i in range(count):
                y, x = left[i, 0], left[i, 1]
                if _goes(image, y, x, second):
                    doomed[dooms, 0], doomed[dooms, 1] = y, x
                    dooms += 1
            for i in range(dooms):
                image[doomed[i, 0], doomed[i, 1]] = 0
            kept = 0
            for i in range(count):
                if image[left[i, 0], left[i, 1]]:
                    left[kept, 0], left[kept, 1] = left[i, 0], left[i, 1]
                    kept += 1
            count = kept
            gone += dooms
        if gone == 0:
            break


@compiled
def _kinds(middle: NDArray[np.uint8]) -> Ids:
    """0 nothing, 1 line, or the code of an area or a junction, of each pixel of a thinned image."""
    height, width = middle.shape
    kinds = np.zeros((height, width), np.int32)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if middle[y, x]:
                around = -1
                for v in range(y - 1, y + 2):
                    for u in range(x - 1, x + 2):
                        around += middle[v, u]
                if kinds[y, x] != _AREA:
                    kinds[y, x] = _JUNCTION if around >= 3 else 1
                if around == 8:
                    for v in range(y - 1, y + 2):
                        for u in range(x - 1, x + 2):
                            kinds[v, u] = _AREA
    return kinds


@compiled
def _collect(
    kinds: Ids, ids: Ids, y: int, x: int, number: int, tile: int, found: Ids, depth: Ids
) -> tuple[int, bool]:
    """All pixels that hang together with one, nearest first; their number, and whether a junction is near.

    Pixels are of one kind and, where `tile` is not 0, of one tile. They get the number.
    """
    kind = kinds[y, x]
    found[0, 0], found[0, 1] = y, x
    depth[0] = 0
    ids[y, x] = number
    count, at, touches = 1, 0, False
    while at < count:
        v, u = found[at, 0], found[at, 1]
        for q in range(v - 1, v + 2):
            for p in range(u - 1, u + 2):
                if kinds[q, p] == _JUNCTION or (kind != _AREA and kinds[q, p] == _AREA):
                    touches = True
                if kinds[q, p] != kind or ids[q, p] != 0:
                    continue
                if tile and (q // tile != y // tile or p // tile != x // tile):
                    continue
                ids[q, p] = number
                found[count, 0], found[count, 1] = q, p
                depth[count] = depth[at] + 1
                count += 1
        at += 1
    return count, touches


@compiled
def _cut(middle: NDArray[np.uint8]) -> Ids:
    """Numbers of the pieces of a thinned image, from 1; 0 elsewhere, and at junctions."""
    height, width = middle.shape
    kinds = _kinds(middle)
    ids = np.zeros((height, width), np.int32)
    found = np.empty((middle.size, 2), np.int32)
    depth = np.empty(middle.size, np.int32)
    number = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if ids[y, x] != 0 or kinds[y, x] == 0 or kinds[y, x] == _JUNCTION:
                continue
            number += 1
            if kinds[y, x] == _AREA:
                _collect(kinds, ids, y, x, number, TILE_PX, found, depth)
                continue
            count, touches = _collect(kinds, ids, y, x, number, 0, found, depth)
            if count < SPUR_PX and touches:
                for i in range(count):
                    kinds[found[i, 0], found[i, 1]] = _JUNCTION
                    ids[found[i, 0], found[i, 1]] = 0
                number -= 1
                continue
            end_y, end_x = found[count - 1, 0], found[count - 1, 1]  # the farthest: an end of the line
            for i in range(count):
                ids[found[i, 0], found[i, 1]] = 0
            count, touches = _collect(kinds, ids, end_y, end_x, number, 0, found, depth)
            length = depth[count - 1] + 1
            parts = max(1, (length + PIECE_PX - 1) // PIECE_PX)
            for i in range(count):
                ids[found[i, 0], found[i, 1]] = number + depth[i] * parts // length
            number += parts - 1
    return ids


@compiled
def _spread(mask: NDArray[np.uint8], ids: Ids, queue: Ids, count: int) -> None:
    """Give each masked pixel without a number that of the nearest pixel that has one; both are padded."""
    at = 0
    while at < count:
        y, x = queue[at, 0], queue[at, 1]
        at += 1
        # Neighbours by an edge first, so that the way is near the shortest.
        for turn in range(8):
            v = y + (turn == 0) - (turn == 1) + (turn == 4 or turn == 5) - (turn == 6 or turn == 7)
            u = x + (turn == 2) - (turn == 3) + (turn == 4 or turn == 6) - (turn == 5 or turn == 7)
            if mask[v, u] and ids[v, u] == 0:
                ids[v, u] = ids[y, x]
                queue[count, 0], queue[count, 1] = v, u
                count += 1


@compiled
def _grow(mask: NDArray[np.uint8], ids: Ids) -> None:
    """Number all of the mask: from what is numbered, and anew where nothing of a connected part is."""
    height, width = mask.shape
    queue = np.empty((mask.size, 2), np.int32)
    count, number = 0, 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if ids[y, x]:
                number = max(number, ids[y, x])
                queue[count, 0], queue[count, 1] = y, x
                count += 1
    _spread(mask, ids, queue, count)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if mask[y, x] and ids[y, x] == 0:
                number += 1
                ids[y, x] = number
                queue[0, 0], queue[0, 1] = y, x
                _spread(mask, ids, queue, 1)


@compiled
def _borders(ids: Ids, y: int, x: int, number: int) -> bool:
    """Whether one of the eight neighbours is nothing, where `number` is 0, else another object."""
    height, width = ids.shape
    for v in range(max(y - 1, 0), min(y + 2, height)):
        for u in range(max(x - 1, 0), min(x + 2, width)):
            if (ids[v, u] == 0) if number == 0 else (ids[v, u] != number and ids[v, u] != 0):
                return True
    return False


@compiled
def _around(ids: Ids, nearest: int, farthest: int) -> Ids:
    """Number of the nearest object of each pixel outside, in steps of a rook and a king by turns."""
    height, width = ids.shape
    whose = ids.copy()
    around = np.zeros((height, width), np.int32)
    queue = np.empty((ids.size, 2), np.int32)
    begin, end = 0, 0
    for y in range(height):
        for x in range(width):
            if ids[y, x] and _borders(ids, y, x, 0):
                queue[end, 0], queue[end, 1] = y, x
                end += 1
    for distance in range(1, farthest + 1):
        last = end
        for i in range(begin, last):
            y, x = queue[i, 0], queue[i, 1]
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if whose[v, u] or (distance % 2 == 1 and v != y and u != x):
                        continue
                    whose[v, u] = whose[y, x]
                    queue[end, 0], queue[end, 1] = v, u
                    end += 1
                    if distance > nearest:
                        around[v, u] = whose[y, x]
        # A diagonal neighbour that a rook's step left out is met in the next, from the same pixels.
        if distance % 2 == 0:
            begin = last
    return around


@compiled
def _lent(ids: Ids, own: NDArray[np.bool_]) -> Ids:
    """[object] whose surroundings stand for it: its own, or those that are nearest."""
    height, width = ids.shape
    lender = np.zeros(own.size, np.int32)
    lacking = 0
    for number in range(1, own.size):
        if own[number]:
            lender[number] = number
        else:
            lacking += 1
    if lacking == 0:
        return lender
    queue = np.empty((ids.size, 2), np.int32)
    source = np.zeros((height, width), np.int32)
    end = 0
    for y in range(height):
        for x in range(width):
            if own[ids[y, x]]:
                source[y, x] = ids[y, x]
                if _borders(ids, y, x, ids[y, x]):
                    queue[end, 0], queue[end, 1] = y, x
                    end += 1
    at = 0
    while at < end and lacking:
        y, x = queue[at, 0], queue[at, 1]
        at += 1
        for v in range(max(y - 1, 0), min(y + 2, height)):
            for u in range(max(x - 1, 0), min(x + 2, width)):
                if ids[v, u] == 0 or source[v, u]:
                    continue
                source[v, u] = source[y, x]
                queue[end, 0], queue[end, 1] = v, u
                end += 1
                if lender[ids[v, u]] == 0:
                    lender[ids[v, u]] = source[y, x]
                    lacking -= 1
    return lender
