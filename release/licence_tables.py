"""Which licences a dependency may have, and the exceptions, each with its reason.

None of the packages below is part of onebox's wheel or source archive: pip installs them from
their makers, and only with the extra that needs them.
"""

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Zlib",
    }
)
"""Permissive licences, as SPDX identifiers."""

NVIDIA = "LicenseRef-NVIDIA-Proprietary"

EXPRESSION_OF = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "NVIDIA Proprietary Software": NVIDIA,
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "OSI Approved :: ISC License (ISCL)": "ISC",
    "OSI Approved :: MIT License": "MIT",
    "OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "OSI Approved :: Python Software Foundation License": "PSF-2.0",
}
"""Other words in metadata, each with one meaning. "BSD" alone says too little."""

STATED_ELSEWHERE = {
    "cuda-toolkit": (NVIDIA, "an empty package that names those of NVIDIA"),
    "gitdb": ("BSD-3-Clause", "its LICENSE"),
    "jinja2": ("BSD-3-Clause", "its LICENSE.txt"),
    "mpmath": ("BSD-3-Clause", "its LICENSE"),
    "pyasn1-modules": ("BSD-2-Clause", "its LICENSE.txt"),
    "python-dateutil": ("Apache-2.0 OR BSD-3-Clause", "its LICENSE"),
    "scikit-image": ("BSD-2-Clause AND BSD-3-Clause AND MIT", "its LICENSE.txt"),
    "scipy": ("BSD-3-Clause", "its LICENSE.txt"),
    "sqlparse": ("BSD-3-Clause", "its LICENSE"),
    "sympy": ("BSD-3-Clause", "its LICENSE"),
    "torchvision": ("BSD-3-Clause", "its LICENSE"),
}
"""Package → its licence and who says so, where metadata says nothing or too little."""

OF_MAKER = {
    "nvidia-": "torch needs it on Linux for NVIDIA's GPUs; PyTorch's CPU wheels do without it",
    "cuda-": "torch needs it on Linux for NVIDIA's GPUs; PyTorch's CPU wheels do without it",
}
"""Start of a package's name → why `NVIDIA` is accepted for it."""

EXCEPTIONS = {
    ("certifi", "MPL-2.0"): "a list of certificates; its terms hold for changes of that file alone",
    ("tqdm", "MPL-2.0"): "imported unchanged; its terms hold for changes of its own files alone",
}
"""(package, licence) → why it is accepted, though the licence is not in `ALLOWED`."""

LIBRARIES = {
    "BSD-2-Clause": "libdav1d libopenjp2 libSvtAv1Enc libaom libavif",
    "BSD-3-Clause": "libopus libopenblasp-r libscipy_openblas libsharpyuv libvpx libwebp "
    "libwebpdemux libwebpmux libzstd",
    "MIT": "libXau libbrotlicommon libbrotlidec libdrm libharfbuzz liblcms libvpl libxcb "
    "libxcb-shape libxcb-shm libxcb-xfixes",
    "Apache-2.0": "libopencore-amrnb libopencore-amrwb",
    "0BSD": "liblzma",
    "Zlib": "libz libpng",
    "libtiff": "libtiff",
    "IJG": "libjpeg",
    "FTL": "libfreetype",
    "OpenSSL": "libcrypto libssl",
    "GPL-3.0-or-later WITH GCC-exception-3.1": "libgfortran libgomp",
    "LGPL-2.1-or-later": "libasound libavcodec libavdevice libavfilter libavformat libavutil "
    "libquadmath libswresample libswscale libmp3lame",
    "LGPL-3.0-or-later": "libgmp libgnutls libhogweed libnettle libunistring",
    "GPL-2.0-or-later": "libx264 libx265",
    NVIDIA: "libcudart libnvjpeg",
}
"""Licence → the shared libraries inside wheels that have it, without version.

Metadata of a package is often that of its own source, and says nothing of them.
"""

LIBRARIES_ALLOWED = ALLOWED | {
    *("FTL", "IJG", "OpenSSL", "libtiff"),  # permissive; no package has them itself
    "GPL-3.0-or-later WITH GCC-exception-3.1",  # programs that link to it keep their own licence
}

LIBRARY_EXCEPTIONS = {
    ("av", "GPL-2.0-or-later"): "FFmpeg in PyAV's wheel links to x264 and x265, so that the wheel "
    "is under the GPL as a whole. onebox uses it only if the user installs onebox[video], and "
    "ships none of it. Who redistributes an environment with that extra must meet the GPL, or "
    "build PyAV without them",
    ("av", "LGPL-2.1-or-later"): "FFmpeg and what it links to, as shared libraries",
    ("av", "LGPL-3.0-or-later"): "GnuTLS and what it links to, as shared libraries",
    ("opencv-python-headless", "LGPL-2.1-or-later"): "FFmpeg and libquadmath, as shared libraries",
    ("numpy", "LGPL-2.1-or-later"): "libquadmath of GCC, as a shared library",
    ("scipy", "LGPL-2.1-or-later"): "libquadmath of GCC, as a shared library",
    ("torchvision", NVIDIA): "decoding of JPEGs on NVIDIA's GPUs, which onebox does not use",
}
"""(package, licence of a library inside its wheel) → why it is accepted."""
