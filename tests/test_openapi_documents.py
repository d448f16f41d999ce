"""The committed OpenAPI documents are up to date."""

import pytest

from tests.support.openapi_documents import APPLICATIONS, FOLDER, describe


@pytest.mark.parametrize("name", APPLICATIONS)
async def test_the_committed_document_is_up_to_date(name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    current = await describe(APPLICATIONS[name]())
    # `assert a == b` would print thousands of lines.
    if committed != current:
        pytest.fail(f"openapi/{name}.json differs from the code; run make openapi and commit the difference")
