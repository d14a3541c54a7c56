# SPDX-License-Identifier: LGPL-2.1-or-later
"""The work that is measured: what it is done on is made here, the same each time."""

import os
import time

MODULES = """
    argparse array ast asyncio base64 bisect bz2 calendar cmath cmd codecs collections
    concurrent.futures configparser contextlib copy csv ctypes dataclasses datetime decimal
    difflib dis email.message email.mime.text fractions ftplib functools getpass gettext glob
    gzip hashlib heapq hmac html.parser http.client http.cookiejar http.server imaplib inspect
    ipaddress itertools json logging.handlers lzma mailbox mimetypes multiprocessing.pool
    operator optparse pathlib pickle platform plistlib pprint queue random re selectors shelve
    shlex shutil smtplib socket socketserver sqlite3 ssl statistics string struct subprocess
    tarfile tempfile textwrap threading timeit tokenize traceback typing unittest.mock
    urllib.request uuid wave weakref xml.dom.minidom xml.etree.ElementTree xmlrpc.client
    zipfile zoneinfo
""".split()

C_FILES = 24
GIT_FILES = 2000
GIT_FOLDERS = 50
FOLDERS = 2000

SOURCE = """\
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common.h"

int part_{number}(const char *text)
{{
\tint sum = {number};

\tfor (; *text; text++)
\t\tsum = sum * 31 + tolower((unsigned char)*text);
\treturn sum;
}}
"""

MAKEFILE = """\
CC = cc
CFLAGS = -O1 -Wall
OBJECTS = {objects}
program: $(OBJECTS)
\t$(CC) -o $@ $(OBJECTS)
%.o: %.c common.h
\t$(CC) $(CFLAGS) -c -o $@ $<
"""


def c_project(folder):
    """24 small C files, a header, and a Makefile that makes one program of them."""
    folder.mkdir()
    numbers = range(C_FILES - 1)
    for number in numbers:
        (folder / f"part{number}.c").write_text(SOURCE.format(number=number), encoding="ascii")
    calls = " + ".join(f"part_{number}(text)" for number in numbers)
    (folder / "main.c").write_text(
        "#include <stdio.h>\n#include \"common.h\"\n\n"
        "int main(int argc, char **argv)\n{\n\tconst char *text = argv[argc - 1];\n\n"
        f"\tprintf(\"%d\\n\", {calls});\n\treturn 0;\n}}\n", encoding="ascii")
    (folder / "common.h").write_text(
        "".join(f"int part_{number}(const char *text);\n" for number in numbers),
        encoding="ascii")
    objects = " ".join(["main.o"] + [f"part{number}.o" for number in numbers])
    (folder / "Makefile").write_text(MAKEFILE.format(objects=objects), encoding="ascii")
    return folder


def folders(top):
    """2,000 folders in 40, and a file in each."""
    for number in range(FOLDERS):
        path = top / f"folder{number % 40}" / f"below{number}"
        path.mkdir(parents=True)
        (path / "file").write_text("x\n", encoding="ascii")
    return top


def small_files(folder):
    """2,000 files in 50 folders."""
    an_hour_ago = time.time() - 3600  # else git would have to read what it cannot tell by time
    for number in range(GIT_FILES):
        path = folder / f"folder{number % GIT_FOLDERS}" / f"file{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {number}\n", encoding="ascii")
        os.utime(path, (an_hour_ago, an_hour_ago))


def git_repository(folder, output):
    """small_files(), committed; `output(command, folder)` runs git."""
    small_files(folder)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    output(["git", "init", "-q"], folder)
    output(["git", "add", "."], folder)
    output(["git", *identity, "commit", "-q", "-m", "files"], folder)
    return folder
