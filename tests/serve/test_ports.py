import os
import socket

from evalkit.serve.ports import HOST, free_port, holder, is_free, listeners


def test_a_free_port_can_be_bound_and_is_then_free_no_more():
    port = free_port()
    assert is_free(port)
    assert listeners(port) == []
    with socket.create_server((HOST, port)):
        assert not is_free(port)
        assert listeners(port) == [os.getpid()]
        assert holder(port).startswith(f"pid {os.getpid()} (")


def test_a_connection_to_a_port_is_no_listener():
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            assert listeners(port) == [os.getpid()]
            assert listeners(client.getsockname()[1]) == []


def test_every_listener_of_a_shared_port_is_seen():
    shared = [socket.create_server((HOST, 0), reuse_port=True)]
    port = shared[0].getsockname()[1]
    shared.append(socket.create_server((HOST, port), reuse_port=True))
    assert listeners(port) == [os.getpid()] * 2
    for one in shared:
        one.close()


def test_an_unknown_holder_is_still_named():
    assert holder(free_port()) == "another process"


def test_another_address_with_the_same_port_is_no_matter():
    # A port that the system gives on another address may be somebody's on this one.
    port = free_port()
    with socket.create_server(("127.0.0.2", port)):
        assert listeners(port) == []
        assert is_free(port)
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert listeners(server.getsockname()[1]) == [os.getpid()]


def test_no_port_is_told_twice():
    assert len({free_port() for _ in range(1000)}) == 1000
