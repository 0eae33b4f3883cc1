"""The application and clients of `tests.dav`, for the tests here too."""

from tests.dav.conftest import anna, application, bert, nobody

__all__ = ["anna", "application", "bert", "nobody"]
