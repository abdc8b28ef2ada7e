"""The Merkle tree of RFC 6962: against the vectors of Certificate Transparency and a library that others wrote."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from taplogs.audit.merkle import MerkleTree, PathBuilder, leaf_hash, node_hash, root_from_path

# The leaves, roots and paths that the tests of Certificate Transparency have used since 2013.
LEAVES = list(
    map(bytes.fromhex, ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", bytes(range(96, 112)).hex()])
)
EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]

sizes = st.integers(1, 300) | st.sampled_from([511, 512, 513, 1024, 4095, 4096, 4097, 5000])


def lines_of(size: int) -> list[bytes]:
    return [b'{"id":"%d"}' % number for number in range(size)]


def tree_of(lines: list[bytes]) -> MerkleTree:
    tree = MerkleTree()
    tree.extend(lines)
    return tree


def other_tree_of(lines: list[bytes]) -> InmemoryTree:
    """Return the tree of the library pymerkle."""
    tree = InmemoryTree(algorithm="sha256")
    for line in lines:
        tree.append_entry(line)
    return tree


def path_of(lines: list[bytes], index: int) -> list[bytes]:
    """Return the path of a line in the tree of all, the lines after it handed over at once."""
    builder = PathBuilder(tree_of(lines[:index]))
    builder.extend(lines[index + 1 :])
    return builder.path()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert tree_of(LEAVES[:size]).root().hex() == ROOTS[size - 1]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert (MerkleTree().size, MerkleTree().stack, MerkleTree().root().hex()) == (0, [], EMPTY_ROOT)


@pytest.mark.parametrize(("index", "size", "path"), PATHS)
def test_paths_are_those_of_certificate_transparency(index: int, size: int, path: list[str]) -> None:
    assert [digest.hex() for digest in path_of(LEAVES[:size], index)] == path
    root = root_from_path(leaf_hash(LEAVES[index]), index, size, list(map(bytes.fromhex, path)))
    assert root.hex() == ROOTS[size - 1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 31, 100, 257])
def test_roots_and_paths_are_those_of_another_library(size: int) -> None:
    lines = lines_of(size)
    other = other_tree_of(lines)
    assert tree_of(lines).root() == other.get_root()
    for index in {0, size // 3, size // 2, size - 1}:
        theirs = other.prove_inclusion(index + 1, size).path
        assert [leaf_hash(lines[index]), *path_of(lines, index)] == theirs


@given(sizes, st.lists(st.integers(0, 5000)))
def test_a_tree_is_the_same_however_its_leaves_come(size: int, cuts: list[int]) -> None:
    lines = lines_of(size)
    bounds = sorted({0, size, *(cut for cut in cuts if cut < size)})
    tree = MerkleTree()
    for start, end in pairwise(bounds):
        tree.extend(iter(lines[start:end]))
    whole = tree_of(lines)
    assert (tree.size, tree.stack, tree.root()) == (size, whole.stack, whole.root())


@given(sizes)
def test_a_stack_has_a_full_subtree_for_each_bit_of_the_size(size: int) -> None:
    heights = [height for height, _ in tree_of(lines_of(size)).stack]
    assert heights == [bit for bit in reversed(range(13)) if size >> bit & 1]


@given(st.integers(0, 200), st.data())
def test_aligned_subtrees_are_joined_at_every_split(size: int, data: st.DataObject) -> None:
    lines = lines_of(size)
    tree = MerkleTree()
    while tree.size < size:
        most = min((tree.size & -tree.size).bit_length() - 1 if tree.size else 7, (size - tree.size).bit_length() - 1)
        height = data.draw(st.integers(0, most))
        tree.append_subtree(height, tree_of(lines[tree.size : tree.size + (1 << height)]).root())
    assert (tree.stack, tree.root()) == (tree_of(lines).stack, tree_of(lines).root())


@given(sizes, st.data())
def test_a_path_leads_to_the_root_also_when_it_is_found_in_one_pass(size: int, data: st.DataObject) -> None:
    lines = lines_of(size)
    index = data.draw(st.integers(0, size - 1))
    path = path_of(lines, index)
    assert root_from_path(leaf_hash(lines[index]), index, size, path) == tree_of(lines).root()
    builder = PathBuilder(tree_of(lines[:index]))
    at_once = data.draw(st.integers(1, size))
    for start in range(index + 1, size, at_once):
        builder.extend(lines[start : start + at_once])
    assert (builder.index, builder.size, builder.path()) == (index, size, path)


def test_one_pass_knows_the_path_at_every_size_on_the_way() -> None:
    lines = lines_of(40)
    for index in range(40):
        builder = PathBuilder(tree_of(lines[:index]))
        for size in range(index + 1, 41):
            assert (builder.size, builder.path()) == (size, path_of(lines[:size], index))
            builder.extend(lines[size : size + 1])


@given(st.integers(1, 100), st.data())
def test_any_change_leads_elsewhere_or_nowhere(size: int, data: st.DataObject) -> None:
    lines = lines_of(size)
    index = data.draw(st.integers(0, size - 1))
    leaf, path = leaf_hash(lines[index]), path_of(lines, index)
    root = tree_of(lines).root()

    def leads_to_the_root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bool:
        try:
            return root_from_path(leaf, index, size, path) == root
        except ValueError:
            return False

    assert leads_to_the_root(leaf, index, size, path)
    assert not any(leads_to_the_root(leaf, other, size, path) for other in range(-1, size + 2) if other != index)
    assert not leads_to_the_root(leaf, index, size, [*path, leaf])
    assert not leads_to_the_root(leaf, index, size, [root, *path])
    if path:
        assert not leads_to_the_root(leaf, index, size, path[:-1])
        assert not leads_to_the_root(leaf, index, size, path[1:])
    bit = data.draw(st.integers(0, 255))
    for place, digest in enumerate([leaf, *path]):
        changed = bytearray(digest)
        changed[bit // 8] ^= 1 << bit % 8
        parts = [leaf, *path]
        parts[place] = bytes(changed)
        assert not leads_to_the_root(parts[0], index, size, parts[1:])


def test_a_path_of_another_length_than_the_size_asks_for_leads_nowhere() -> None:
    for size in range(1, 34):
        for index in range(size):
            length = len(path_of(lines_of(size), index))
            for other in range(9):
                if other != length:
                    with pytest.raises(ValueError, match=r"more than|fewer than"):
                        root_from_path(bytes(32), index, size, [bytes(32)] * other)


@given(st.integers(1, 64), st.data())
def test_a_node_does_not_pass_for_a_leaf(pairs: int, data: st.DataObject) -> None:
    lines = lines_of(2 * pairs)
    index = data.draw(st.integers(0, pairs - 1))
    left, right = map(leaf_hash, lines[2 * index : 2 * index + 2])
    above = path_of(lines, 2 * index)[1:]
    assert root_from_path(node_hash(left, right), index, pairs, above) == tree_of(lines).root()
    assert root_from_path(leaf_hash(left + right), index, pairs, above) != tree_of(lines).root()


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (0, 0), (1, 1), (5, 4)])
def test_no_path_leads_up_from_a_leaf_that_there_is_not(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        root_from_path(bytes(32), index, size, [])


@pytest.mark.parametrize(("size", "height", "digest"), [(1, 1, 32), (6, 2, 32), (4, -1, 32), (4, 1, 31)])
def test_a_subtree_that_does_not_fit_is_refused(size: int, height: int, digest: int) -> None:
    with pytest.raises(ValueError, match=r"does not fit|32 bytes"):
        tree_of(lines_of(size)).append_subtree(height, bytes(digest))
