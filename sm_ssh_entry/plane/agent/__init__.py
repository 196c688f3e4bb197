"""The stand-in agent: what the local plane runs where the official amazon-ssm-agent is not installed.

It registers, keeps its control channel and serves sessions and Run Command as the official agent does, through
``wire``. It is not the official agent, says so, and is part of no published image.

    __main__    the command line: register, clear, version, run
    register    one hybrid activation becomes one registration
    core        the process that supervises the worker
    worker      everything that talks to the service: credentials, heartbeat, control channel, sessions, commands
"""
