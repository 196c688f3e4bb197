#!/bin/sh
# /etc/profile.d/sm-ssh.sh: in a login shell within an SSH session, gives back the job's PATH that /etc/profile has reset.
[ -z "${SM_SSH_PATH:-}" ] || export PATH="$SM_SSH_PATH"
