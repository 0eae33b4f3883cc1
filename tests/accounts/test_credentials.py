from calsync.accounts.credentials import Credentials, Identity, Verified


def test_login_and_password_are_kept_apart() -> None:
    known = Credentials()
    assert known.key("ab", "c") != known.key("a", "bc")
    assert known.key("a", "b") == known.key("a", "b")
    assert Credentials().key("a", "b") != known.key("a", "b")


def test_the_one_used_least_recently_is_forgotten_first() -> None:
    known = Credentials(size=2)
    keys = [known.key("anna", str(number)) for number in range(3)]
    verified = Verified(Identity("anna", 1), 1)
    known.remember(keys[0], verified)
    known.remember(keys[1], verified)
    assert known.get(keys[0]) is verified
    known.remember(keys[2], verified)
    assert known.get(keys[1]) is None
    assert known.get(keys[0]) is verified
    assert len(known) == 2


def test_neither_login_nor_password_is_kept() -> None:
    known = Credentials()
    known.remember(known.key("anna", "correct horse"), Verified(Identity("a", 1), 1))
    assert b"anna" not in repr(known.__dict__).encode() and b"horse" not in repr(known.__dict__).encode()
