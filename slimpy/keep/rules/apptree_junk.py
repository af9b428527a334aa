"""What lies beside an app and no run needs: histories, caches, tests, sources, and secrets."""

from __future__ import annotations

import re

from slimpy.image.tree import Tree, name, parent
from slimpy.model import Entry, FileType, ImagePath

_JUNK_DIRECTORIES = frozenset(
    {
        *(".git", ".svn", ".hg", ".bzr", "CVS", ".github", ".gitlab", ".circleci", ".vscode"),
        *(".idea", ".vs", ".devcontainer", ".husky", "__pycache__", ".pytest_cache", ".mypy_cache"),
        *(".ruff_cache", ".tox", ".nox", ".hypothesis", ".eggs", ".nyc_output", "htmlcov"),
        *(".cache", ".npm", ".yarn", ".pnpm-store", ".parcel-cache", ".turbo", ".sass-cache"),
        *(".ipynb_checkpoints", ".terraform", "lost+found", ".local"),
    }
)
_TEST_DIRECTORIES = frozenset(
    {"test", "tests", "__tests__", "spec", "specs", "e2e", "cypress", "testdata", "__mocks__"}
)
_TEST_FILE = re.compile(
    r"(test_.{1,200}|.{1,200}_test)\.(py|go|rb|c|cc|cpp|rs|exs)|conftest\.py"
    r"|.{1,200}[._-](test|spec)\.[cm]?[jt]sx?|.{1,200}_spec\.rb|.{1,200}Tests?\.(php|java|cs|kt)"
    r"|(spec|test)_helper\.rb|cypress\.config\.\w{1,5}",
)
_JUNK_FILE = re.compile(
    r"Dockerfile.*|.*\.dockerfile|Containerfile|(docker-)?compose([.-].*)?\.ya?ml|\.dockerignore"
    r"|\.git(ignore|attributes|modules|keep|-blame-ignore-revs)|\.hg(ignore|tags)|\.editorconfig"
    r"|\.(gitlab-ci|travis|pre-commit-config|readthedocs|codecov|coveralls|drone)\.ya?ml"
    r"|Jenkinsfile|\.(eslint|prettier|stylelint)(rc.*|ignore)|\.npmignore|\.DS_Store|Thumbs\.db"
    r"|(README|CHANGELOG|CONTRIBUTING)(\.(md|rst|txt))?|tox\.ini|\.coverage|\.coveragerc"
    r"|.*\.(sw[op]|orig|rej|bak|log|lcov|d\.[cm]?ts|tsbuildinfo|gem|whl)|.*~|#.*#"
    r"|\.(bashrc|bash_logout|bash_profile|profile|zshrc|cshrc|tcshrc|selected_editor|vimrc|viminfo)"
    r"|\.(ba)?sh_history|\.(python|node_repl|psql|mysql|irb)_history|\.wget-hsts|\.lesshst",
    re.DOTALL,
)
_COMPILED = re.compile(r".*\.(c|cc|cpp|cxx|h|hh|hpp|hxx|o|a|la|lo|gch|pch|pdb|class\.dep)")
_SOURCE_OF = {".java": (".class", ".jar"), ".kt": (".class", ".jar"), ".scala": (".jar",)}
_SECRET = re.compile(
    r"\.env(\..{1,100})?|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)|id_(rsa|dsa|ecdsa|ed25519)"
    r"|\.(npmrc|pypirc|netrc|git-credentials|pgpass|my\.cnf|vault-token|terraformrc)|_netrc"
    r"|\.htpasswd|shadow-?|gshadow-?|credentials\.json|service-account.*\.json|opasswd",
    re.IGNORECASE | re.DOTALL,
)
_HARMLESS_SECRET = re.compile(r"\.env\.(example|sample|dist|template|defaults?)|\.htpasswd")
_SECRET_DIRECTORIES = frozenset({".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure", ".gcloud"})
_BUILD_TREES = (("Cargo.toml", "target"), ("pom.xml", "target"), ("build.gradle", ".gradle"))

MOST_SIBLINGS = 10_000
"""A directory's entries that are looked at to tell tests from data."""


def is_junk_directory(tree: Tree, entry: Entry) -> bool:
    """Whether no run needs what is in this directory: histories, caches, test suites."""
    base = name(entry.path)
    if base in _JUNK_DIRECTORIES:
        return True
    if base in _TEST_DIRECTORIES:
        return holds_tests(tree, entry.path)
    if base == "coverage":
        return f"{entry.path}/lcov.info" in tree or f"{entry.path}/lcov-report" in tree
    if base == "cache":
        return name(parent(entry.path)) in (".next", "vendor")
    above = parent(entry.path)
    return any(base == build and f"{above}/{mark}" in tree for mark, build in _BUILD_TREES)


def holds_tests(tree: Tree, directory: ImagePath) -> bool:
    """Whether test code lies in a directory, so that its name means what it says."""
    for count, entry in enumerate(tree.below(directory)):
        if count >= MOST_SIBLINGS:
            return False
        if entry.type is FileType.FILE and _TEST_FILE.fullmatch(name(entry.path)):
            return True
    return False


def is_junk(tree: Tree, entry: Entry) -> bool:
    """Whether no run needs this file: build recipes, sources of compiled code, editors' files."""
    base = name(entry.path)
    if entry.type is FileType.DIRECTORY:
        return is_junk_directory(tree, entry)
    if _JUNK_FILE.fullmatch(base) or _COMPILED.fullmatch(base):
        return True
    stem, dot, suffix = base.rpartition(".")
    beside = f"{parent(entry.path).rstrip('/')}/{stem}"
    if suffix == "map":
        return beside in tree  # app.js.map beside app.js
    if suffix == "pyc":
        return f"{beside}.py" in tree
    return any(f"{beside}{other}" in tree for other in _SOURCE_OF.get(f"{dot}{suffix}", ()))


def is_secret(path: ImagePath) -> bool:
    """Whether the name says that it is a key, a password or settings with some in it.

    A .pem file can also be a certificate: `is_private_key` tells by the contents.
    """
    base = name(path)
    if _SECRET.fullmatch(base) and not _HARMLESS_SECRET.fullmatch(base):
        return True
    return any(part in _SECRET_DIRECTORIES for part in path.split("/")[1:-1])


def is_maybe_certificate(path: ImagePath) -> bool:
    """Whether only the contents tell if this is a secret."""
    return name(path).lower().endswith(".pem")


def is_private_key(data: bytes) -> bool:
    """Whether PEM text holds a private key (RFC 7468, section 10)."""
    return b"PRIVATE KEY" in data
