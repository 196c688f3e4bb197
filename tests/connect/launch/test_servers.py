"""Jupyter's own list, as its versions print it."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect.launch.servers import Server, jupyter_servers

LAB = (
    '{"base_url": "/", "hostname": "localhost", "password": false, "pid": 7, "port": 8888, "root_dir": "/opt/ml",'
    ' "secure": false, "sock": "", "token": "a/b c", "url": "http://localhost:8888/", "version": "2.14.2"}'
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", []),
        ("Currently running servers:\n", []),
        (LAB, [Server(8888, "/lab?token=a%2Fb%20c")]),
        (f"noise\n{LAB}\nnull\n[]\n{{}}\n", [Server(8888, "/lab?token=a%2Fb%20c")]),
        (LAB.replace('"a/b c"', '""'), [Server(8888, "/lab")]),
        (LAB.replace('"secure": false', '"secure": true'), [Server(8888, "/lab?token=a%2Fb%20c", "https")]),
        (
            LAB.replace('"base_url": "/"', '"base_url": "/jupyter/default/"'),
            [Server(8888, "/jupyter/default/lab?token=a%2Fb%20c")],
        ),
        (LAB.replace("root_dir", "notebook_dir"), [Server(8888, "/tree?token=a%2Fb%20c")]),
        (
            LAB + "\n" + LAB.replace("8888", "8889"),
            [Server(8888, "/lab?token=a%2Fb%20c"), Server(8889, "/lab?token=a%2Fb%20c")],
        ),
    ],
)
def test_the_list_is_read(said: str, expected: list[Server]) -> None:
    assert jupyter_servers(said) == expected


def test_links() -> None:
    assert Server(8888, "/lab?token=t").link(9000) == "http://127.0.0.1:9000/lab?token=t"
    assert Server(5901, scheme="vnc").link(5901) == "vnc://127.0.0.1:5901"
