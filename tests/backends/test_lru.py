from qrnn_backends.lru import LRU


def test_the_entry_that_was_not_used_for_longest_is_dropped() -> None:
    cache: LRU[str, int] = LRU(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_a_key_that_is_put_again_takes_no_second_place() -> None:
    cache: LRU[str, int] = LRU(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("a", 3)
    assert [cache.get(key) for key in "ab"] == [3, 2]
