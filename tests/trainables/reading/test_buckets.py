"""Files and folders in a bucket, on a real S3 server; messages name what the user wrote."""

from __future__ import annotations

import re

import pytest

from tests.objectstore import S3Server
from trainables import Data, DataError

pytestmark = [pytest.mark.slow(5), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def put(server: S3Server, url: str, content: str) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    server.client().put_object(Bucket=bucket, Key=key, Body=content.encode())


def test_tables_and_folders_may_lie_in_a_bucket(s3_server: S3Server, s3_root: str) -> None:
    put(s3_server, f"{s3_root}/t.csv", "a,label\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(20)))
    data = Data.from_csv(f"{s3_root}/t.csv", "label")
    assert data.description["examples"] == {"train": 16, "validation": 4}
    with pytest.raises(DataError, match=f"^{re.escape(s3_root)}/t.csv: must have a column lable"):
        Data.from_csv(f"{s3_root}/t.csv", "lable")
    for number in range(12):
        put(s3_server, f"{s3_root}/reviews/{('sad', 'glad')[number % 2]}/{number}.txt", f"text {number}")
    assert Data.from_text_folder(f"{s3_root}/reviews").class_names == ("glad", "sad")
    put(s3_server, f"{s3_root}/reviews/sad/2.txt", "")
    with pytest.raises(DataError, match=f"^{re.escape(s3_root)}/reviews/sad/2.txt: must be .* but is empty"):
        Data.from_text_folder(f"{s3_root}/reviews")
    with pytest.raises(DataError, match=f"^{re.escape(s3_root)}/none: cannot be read: there is no such object"):
        Data.from_text_folder(f"{s3_root}/none")
