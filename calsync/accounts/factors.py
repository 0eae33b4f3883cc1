"""The second factor of the web sign-in: codes of an authenticator app (RFC 6238), and recovery codes.

The secret of an authenticator lies in the store as it is. Its key would have to lie beside it, so sealing it would
look like protection and be none; the file is its owner's alone. Recovery codes are kept as keyed hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

import pyotp
from sqlalchemy import bindparam, delete, func, insert, select, update

from calsync.accounts import rows
from calsync.accounts.throttle import Throttled
from calsync.store.account_changes import of
from calsync.store.engine import Store
from calsync.store.schema import recovery_code, second_factor
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

#: RFC 6238 §4.1, §5.2: seconds a code lasts, and how many steps a clock may be off.
STEP: Final = 30
DRIFT: Final = 1

RECOVERY_CODES: Final = 10

#: Seconds for which a secret waits to be confirmed.
PENDING: Final = 900

#: Wrong codes that cost no wait, and the longest wait in seconds. They are counted for the account whatever the
#: address: whoever gets as far as typing a code has the password already, so no stranger can lock anybody out.
FREE: Final = 5
LONGEST: Final = 900

# Crockford's base 32, as in app passwords.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_READ_AS: Final = str.maketrans("oil", "011", "-‐‑‒–—−_. \t\r\n\u00a0")
_RECOVERY_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account has. `since` is an instant, `recovery` how many codes are left."""

    totp: bool
    since: int
    recovery: int


_OF: Final = Prepared(
    select(
        second_factor.c.secret,
        second_factor.c.confirmed,
        second_factor.c.created,
        second_factor.c.failures,
        second_factor.c.failed,
    ).where(second_factor.c.account == bindparam("of_account"))
)
_FORGET: Final = Prepared(
    delete(second_factor).where(second_factor.c.account == bindparam("of_account")),
    marks=of(second_factor, "of_account"),
)
_INSERT: Final = Prepared(insert(second_factor), marks=of(second_factor, "account"))
_TAKEN: Final = Prepared(
    update(second_factor)
    .where(second_factor.c.account == bindparam("of_account"), second_factor.c.last_step < bindparam("step"))
    .values(last_step=bindparam("step"), confirmed=1, failures=0),
    marks=of(second_factor, "of_account"),
)
_FAILED: Final = Prepared(
    update(second_factor)
    .where(second_factor.c.account == bindparam("of_account"))
    .values(failures=second_factor.c.failures + 1, failed=bindparam("at"))
)
_HELD: Final = Prepared(
    update(second_factor).where(second_factor.c.account == bindparam("of_account")).values(failures=0)
)
_COUNT: Final = Prepared(select(func.count()).where(recovery_code.c.account == bindparam("of_account")))
_FORGET_CODES: Final = Prepared(
    delete(recovery_code).where(recovery_code.c.account == bindparam("of_account")),
    marks=of(recovery_code, "of_account"),
)
_INSERT_CODE: Final = Prepared(insert(recovery_code), marks=of(recovery_code, "account"))
_USE_CODE: Final = Prepared(
    delete(recovery_code).where(
        recovery_code.c.account == bindparam("of_account"), recovery_code.c.hash == bindparam("hashed")
    ),
    marks=of(recovery_code, "of_account"),
)


class SecondFactors:
    """The second factors of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = store.secret("recovery-code")

    def of(self, account: int) -> Factors:
        """What the account has by now."""
        with self._store.read() as tx:
            row = tx.first(_OF, of_account=account)
            count = tx.first(_COUNT, of_account=account)
        if row is None or not row[1]:
            return Factors(False, 0, 0)
        return Factors(True, row[2], 0 if count is None else int(count[0]))

    def enrol(self, account: int) -> str:
        """A new secret in base 32, to be confirmed by a code of it; empty where one counts already.

        It is the same for a while, so that a mistyped code means no new QR code.
        """
        now = int(time.time())
        with self._store.write() as tx:
            row = tx.first(_OF, of_account=account)
            if row is not None and row[1]:
                return ""
            if row is not None and now - row[2] < PENDING:
                return bytes(row[0]).decode()
            tx.run(_FORGET, of_account=account)
            secret = pyotp.random_base32(32)
            tx.run(
                _INSERT,
                account=account,
                kind="totp",
                secret=secret.encode(),
                confirmed=0,
                last_step=0,
                failures=0,
                failed=0,
                created=now,
            )
            return secret

    def confirm(self, account: int, code: str) -> list[str] | None:
        """Count the secret from now on, if the code is of it; the recovery codes, to be shown this once."""
        with self._store.write() as tx:
            row = tx.first(_OF, of_account=account)
            if row is None or row[1] or not self._take(tx, account, row, code):
                return None
            # Devices that logged in with the password need an app password from now on.
            tx.run(rows.FORGET_LOGINS, account_id=account)
            return self._new_codes(tx, account)

    def verify(self, account: int, typed: str) -> str:
        """Which factor this holds as: `totp`, `recovery`, or empty for none. What held holds no second time.

        Raises `Throttled` after too many wrong ones, without a look at the code.
        """
        now = int(time.time())
        with self._store.write() as tx:
            row = tx.first(_OF, of_account=account)
            if row is None or not row[1]:
                return ""
            waits = row[4] + wait(row[3]) - now
            if waits > 0:
                raise Throttled(waits)
            if self._take(tx, account, row, typed):
                return "totp"
            plain = typed.lower().translate(_READ_AS)
            if len(plain) == _RECOVERY_LENGTH and tx.run(
                _USE_CODE, of_account=account, hashed=self._hashed(account, plain)
            ):
                tx.run(_HELD, of_account=account)
                return "recovery"
            tx.run(_FAILED, of_account=account, at=now)
            return ""

    def renew_codes(self, account: int) -> list[str]:
        """New recovery codes in place of all former ones."""
        with self._store.write() as tx:
            return self._new_codes(tx, account)

    def forget(self, tx: Transaction, account: int) -> bool:
        """Remove secret and recovery codes; whether there was a secret."""
        tx.run(_FORGET_CODES, of_account=account)
        return tx.run(_FORGET, of_account=account) > 0

    def _take(self, tx: Transaction, account: int, row: tuple[Any, ...], typed: str) -> bool:
        """RFC 6238 §5.2: a code is accepted once, and none that is older than the last."""
        code = "".join(typed.split())
        if len(code) != 6 or not (code.isascii() and code.isdigit()):
            return False
        totp = pyotp.TOTP(bytes(row[0]).decode(), interval=STEP)
        now = int(time.time()) // STEP
        for step in range(now - DRIFT, now + DRIFT + 1):
            if hmac.compare_digest(totp.generate_otp(step), code):
                return tx.run(_TAKEN, of_account=account, step=step) > 0
        return False

    def _new_codes(self, tx: Transaction, account: int) -> list[str]:
        tx.run(_FORGET_CODES, of_account=account)
        codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES)]
        tx.run_many(_INSERT_CODE, [{"account": account, "hash": self._hashed(account, code)} for code in codes])
        return ["-".join(code[start : start + 4] for start in range(0, _RECOVERY_LENGTH, 4)) for code in codes]

    def _hashed(self, account: int, plain: str) -> bytes:
        return hmac.digest(self._key, b"%d %b" % (account, plain.encode()), hashlib.sha256)


def wait(failures: int) -> int:
    """Seconds to wait after so many wrong codes."""
    over = failures - FREE
    return 0 if over < 0 else min(LONGEST, 4 * 2 ** min(over, 10))


def address(secret: str, name: str, issuer: str) -> str:
    """The `otpauth:` address that authenticator apps read from a QR code."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=name, issuer_name=issuer)
