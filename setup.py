"""Builds the native room: every native/*.pyx becomes one extension. All else stands in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SANITIZE = ["-fsanitize=address,undefined"] if os.environ.get("FILMROOM_SANITIZE") else []
OPTIMIZE = ["-O1", "-fno-omit-frame-pointer", "-g1"] if SANITIZE else ["-O3"]

NATIVE = [
    Extension(
        f"native.{path.stem}",
        [str(path)],
        include_dirs=["native", "native/vendor"],
        define_macros=[("_GNU_SOURCE", "1")],
        extra_compile_args=[*OPTIMIZE, "-fvisibility=hidden", *SANITIZE],
        extra_link_args=["-lpthread", "-lz", *SANITIZE],
        depends=[str(p) for p in [*Path("native").glob("*.pxd"), *Path("native").glob("*.h")]],
    )
    for path in sorted(Path("native").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        NATIVE,
        build_dir="build/c",
        compiler_directives={
            "language_level": 3,
            "binding": True,
            "embedsignature": True,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "freethreading_compatible": False,
        },
    )
)
