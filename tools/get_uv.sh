#!/bin/sh
# Put a private copy of uv into a folder, with whatever Python 3 this machine has.
#
# usage: tools/get_uv.sh FOLDER [PYTHON ...]
#
# Tries `python -m venv` first and, where ensurepip is missing (Debian without
# python3-venv), `pip install --target`. Leaves FOLDER/bin/uv or fails, saying what it tried.
set -u

folder=$1
shift
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# From the root folder: a .python-version here must not make a version manager refuse to run
# the Python it has.
cd / || exit 1

works() { "$folder/bin/uv" --version >/dev/null 2>>"$log"; }

for python in "$@" python3 python python3.14 python3.13 python3.12 python3.11; do
    command -v "$python" >/dev/null 2>&1 || continue
    echo "-- $python" >>"$log"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >>"$log" 2>&1 || continue

    rm -rf "$folder"
    "$python" -m venv "$folder" >>"$log" 2>&1 &&
        "$folder/bin/python" -m pip install --quiet uv >>"$log" 2>&1 &&
        works && exit 0

    rm -rf "$folder"
    "$python" -m pip install --quiet --target "$folder" uv >>"$log" 2>&1 && works && exit 0
done

rm -rf "$folder"
{
    echo "Could not install uv with any Python here (3.8 or newer, with venv or pip). What was tried:"
    tail -n 20 "$log"
    echo "Put uv on PATH, or install python3-venv, or say which Python to use: make PYTHON=python3.12"
} >&2
exit 1
