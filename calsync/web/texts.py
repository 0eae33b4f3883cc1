"""What the pages say, ready to be translated: texts are marked with `_`, in templates too."""

from __future__ import annotations

import gettext as catalogues
from typing import Final

#: English is what stands in the code; other languages come as gettext catalogues.
CATALOGUE: Final = catalogues.NullTranslations()


def _(text: str) -> str:
    return CATALOGUE.gettext(text)


#: What a page says after something was done, by the word in its address (`?done=…`).
DONE: Final = {
    "revoked": "The device is locked out. It cannot sync any more.",
    "password": "Your password is changed. Other browsers are signed out; your devices sync on.",
    "details": "Your details are saved.",
    "factor-off": "The second step is switched off.",
    "ended": "That browser is signed out.",
    "ended-all": "All other browsers are signed out.",
    "signed-out": "You are signed out.",
    "shown": "That app password was shown already. Make another if it is lost.",
}
