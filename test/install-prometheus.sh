#!/bin/sh
# Installs Debian's prometheus for the integration tests, as root or through sudo, and starts no service.
set -eu
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "prometheus is missing and there is no sudo: apt-get install prometheus"; exit 1; }
  as_root=sudo
fi
echo "installing Debian's prometheus for the integration tests"
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends prometheus >/dev/null
command -v prometheus >/dev/null || { echo "prometheus is still missing: apt-get install prometheus"; exit 1; }
