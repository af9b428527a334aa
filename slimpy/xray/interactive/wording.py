"""The texts of the panes. All that comes out of an image is made safe to show here."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from slimpy.model import FileType, display
from slimpy.report.text import size_text
from slimpy.xray.facts import LayerFacts, XRay
from slimpy.xray.interactive.outline import Line
from slimpy.xray.interactive.scene import Look, Row, Scene
from slimpy.xray.members import Member
from slimpy.xray.stack import Kind

Piece = tuple[str, str]
"""The name of a style (empty for none) and a text without line breaks."""

SIGNS = {Kind.ADDED: "+", Kind.CHANGED: "~", Kind.REMOVED: "-"}
"""What stands before a path that the layer changes."""
TOUCHED = "·"
"""What stands before a directory in which something changes."""
_DEEPEST = 24  # indentation; what is deeper is not indented further
_MOST_WASTED = 10
_UNKNOWN = "(the history does not say)"
_FORMATS = {
    FileType.FILE: stat.S_IFREG,
    FileType.DIRECTORY: stat.S_IFDIR,
    FileType.LINK: stat.S_IFLNK,
    FileType.CHARACTER: stat.S_IFCHR,
    FileType.BLOCK: stat.S_IFBLK,
    FileType.FIFO: stat.S_IFIFO,
    FileType.SOCKET: stat.S_IFSOCK,
}


def mode_text(member: Member) -> str:
    """Type and permissions as ls shows them."""
    return stat.filemode(_FORMATS[member.type] | member.mode & 0o7777)


def row_pieces(row: Row, line: Line, *, unfolded: bool, brief: bool = False) -> Iterator[Piece]:
    """One line of the tree: mode and owner (not if it is to be brief), size, sign, name."""
    member = row.entry.member
    sign = SIGNS[row.kind] if row.kind else TOUCHED if row.touched else " "
    style = row.kind.value if row.kind else "" if row.touched else "untouched"
    rights = "" if brief else f"{mode_text(member)} {_owner(member):>11} "
    yield "facts", f"{rights}{_size(row):>9} "
    yield style, f"{sign} "
    mark = ("▾ " if unfolded else "▸ ") if row.foldable else "  "
    yield "facts", "  " * min(line.depth, _DEEPEST) + mark
    name = display(row.path.rpartition("/")[2])
    yield style, f"{name}/" if member.type is FileType.DIRECTORY else name
    if member.type is FileType.LINK:
        yield "facts", f" → {display(member.target)}"


def _owner(member: Member) -> str:
    text = f"{member.uid}:{member.gid}"
    return text if len(text) <= 11 else f"{text[:10]}…"


def _size(row: Row) -> str:
    if row.kind is Kind.REMOVED:
        freed = row.size if row.entry.member.is_file else row.freed
        return f"-{size_text(freed)}" if freed else ""
    if row.entry.member.is_file or row.size:
        return size_text(row.size)
    return f"-{size_text(row.freed)}" if row.freed else ""


def path_lines(row: Row) -> Iterator[Piece]:
    """What there is to say of the path under the cursor; the path is last, as it may be long."""
    member = row.entry.member
    parts = [f"{mode_text(member)} ({member.mode & 0o7777:04o}), owner {member.uid}:{member.gid}"]
    if member.is_file:
        parts.append(f"{member.length:,} bytes")
    if member.capabilities:
        parts.append("file capabilities")
    parts.append(_origin(row))
    yield "", ", ".join(parts)
    arrow = f" → {display(member.target)}" if member.type is FileType.LINK else ""
    yield "strong", f"{display(row.path)}{arrow}"


def _origin(row: Row) -> str:
    layer = row.entry.layer + 1
    match row.entry.kind:
        case None:
            return f"stored by no layer, first needed by layer {layer}"
        case Kind.CHANGED if row.entry.same:
            return f"stored again by layer {layer} with the same contents"
        case kind:
            return f"{kind.value} by layer {layer}"


def layer_pieces(layer: LayerFacts) -> Iterator[Piece]:
    """One line of the list of layers: number, size, share of waste, instruction."""
    share = layer.wasted_bytes / layer.bytes if layer.bytes else 0.0
    yield "facts", f"{layer.number:>3} "
    yield "", f"{size_text(layer.bytes):>9} "
    yield "removed" if share >= 0.01 else "facts", f"{share:>4.0%} "
    yield "", display(layer.instruction) or _UNKNOWN


def title(found: XRay) -> str:
    """What is always to be seen: figures only, nothing of this is from the image."""
    wasted = f"{size_text(found.wasted_bytes)} wasted"
    return f"{len(found.layers)} layers, efficiency {found.efficiency:.1%}, {wasted}"


def layer_lines(layer: LayerFacts, count: int) -> Iterator[Piece]:
    """What there is to say of a layer, of an image of so many."""
    yield "strong", f"Layer {layer.number} of {count}"
    first, *more = (display(layer.instruction) or _UNKNOWN).split(" && ")
    yield "", first
    yield from (("", f"  && {command}") for command in more)
    if layer.arguments:
        yield "facts", f"build arguments: {display(layer.arguments)}"
    yield "", ""
    share = layer.wasted_bytes / layer.bytes if layer.bytes else 0.0
    yield (
        "",
        f"added    {layer.added:,}, changed {layer.changed:,}, removed {layer.removed:,} paths",
    )
    yield "", f"files    {size_text(layer.bytes)}, stored as {size_text(layer.stored_bytes)}"
    yield "", f"wasted   {size_text(layer.wasted_bytes)} ({share:.1%}) that later layers hide"
    if layer.created:
        yield "", f"created  {display(layer.created)}"
    yield "facts", f"blob     {display(layer.blob)}"
    yield "facts", f"diffID   {display(layer.diff_id) or 'not told'}"
    yield "", ""


def image_lines(found: XRay) -> Iterator[Piece]:
    """What there is to say of the image, the largest waste at its end."""
    share = found.wasted_bytes / found.total_bytes if found.total_bytes else 0.0
    yield "strong", f"Image {display(found.reference)}"
    yield "", f"efficiency  {found.efficiency:.1%}"
    yield "", f"wasted      {size_text(found.wasted_bytes)} ({share:.1%})"
    yield "", f"files       {found.files:,}, {size_text(found.visible_bytes)}"
    yield "", f"user        {display(found.user) or 'not set'}"
    for item in found.wasted[:_MOST_WASTED]:
        yield "facts", f"{size_text(item.bytes):>9}  {display(item.path)} ({item.note})"
    if found.wasted_paths > _MOST_WASTED:
        yield "facts", f"           and {found.wasted_paths - _MOST_WASTED:,} more wasted paths"
    for warning in found.warnings:
        yield "changed", f"warning: {display(warning)}"


def look_text(scene: Scene) -> str:
    """What the tree shows, in one line."""
    look = scene.look
    what = (
        f"changes of layer {look.layer + 1}"
        if look.changes
        else f"files after layer {look.layer + 1}"
    )
    parts = [what, f"{scene.matches:,} paths shown, {size_text(scene.size)}", *_narrowed(look)]
    parts.append("by size" if look.by_size else "by name")
    return " | ".join(parts)


def _narrowed(look: Look) -> Iterator[str]:
    if look.kinds:
        yield " and ".join(kind.value for kind in Kind if kind in look.kinds) + " only"
    if look.text:
        yield f"with “{display(look.text)}”"
