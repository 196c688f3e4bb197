"""The Session Manager protocol as bytes and events: no I/O, no clock, no thread, no randomness.

Read from the top:

- ``message``       AgentMessage, MessageType, PayloadType, Flags; ``encode(message)``, ``decode(frame)``
- ``payloads``      what data-channel messages carry; ``control`` the same for control channels; ``openers`` first
frames
- ``states``        the life of a data channel as a literal table
- ``events``        what a channel tells its caller
- ``channel``       ``DataChannel(role, ...)``: the protocol object of a client or an agent
- ``relay``         ``Relay(session_id, ...)``: the service between the two
- ``smux``          ``MuxSession(client=...)``: many TCP connections in one port session
- ``versions``      what the peer's version allows

What a channel is made of: ``conversation`` (meaning: states, handshake, deadlines) over ``link`` (messages in order and
receipts) over ``stream`` (numbers and timers); ``bodies``, ``handshake``, ``input_gate`` and ``fields`` are parts of
these.

The caller brings frames, the time (monotonic seconds) and message ids, and takes frames and events away:

    channel = DataChannel(Role.CLIENT, new_id=uuid.uuid4, epoch=time.time() - time.monotonic())
    channel.connected(now)                      # whenever a websocket has been opened, the first time too
    events = channel.receive(frame, now)        # or RemoteProtocolError: drop the frame, go on
    channel.send_data(b"...", now)              # while channel.writable
    for frame in channel.frames_to_send(): ...  # after every call
    channel.next_deadline()                     # call tick(now) then

Errors (``errors``):

    ProtocolError
    ├── LocalProtocolError    we asked for something the protocol forbids: a bug on this side
    └── RemoteProtocolError   the peer sent something the protocol forbids: drop it, or the peer
"""
