"""Conversion between values (named tuples) and protobuf messages, by the names of their fields.

Named tuples, not frozen dataclasses: sixty of those would cost `hpool run` 50 ms of its start.

Owns: the one walk both ways. Leaves to others: which value belongs to which message (the modules
beside each .proto). A value's field that the message does not have is a mistake found at import; a
nested message without a default in the value must be there, or the bytes are malformed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from hpool.matchmaker.model.errors import BadMessage

V = TypeVar("V", bound=tuple[Any, ...])


class MessageCodec(Generic[V]):
    """One message, one named tuple. `nested` gives the codec of fields that are messages."""

    def __init__(
        self, message: type[Message], value: type[V], nested: Mapping[str, MessageCodec[Any]] | None = None
    ) -> None:
        self._message = message
        self._value = value
        self._nested = dict(nested or {})
        kinds = message.DESCRIPTOR.fields_by_name
        names: tuple[str, ...] = value._fields  # type: ignore[attr-defined]
        self._required = set(names) - set(value._field_defaults)  # type: ignore[attr-defined]
        self._plain = []
        self._repeated = []
        self._optional = []
        self._children = []
        for name in names:
            kind = kinds[name]
            if name in self._nested:
                self._children.append((name, self._nested[name], kind.is_repeated))
            elif kind.is_repeated:
                self._repeated.append(name)
            elif kind.has_presence:
                self._optional.append(name)
            else:
                self._plain.append(name)

    def encode(self, value: V) -> bytes:
        return self.to_message(value).SerializeToString()

    def decode(self, raw: bytes) -> V:
        try:
            return self.from_message(self._message.FromString(raw))
        except (DecodeError, ValueError, TypeError) as error:
            raise BadMessage("the peer", f"{self._value.__name__}: {error}") from error

    def to_message(self, value: V) -> Message:
        message = self._message(**{name: getattr(value, name) for name in self._plain})
        for name in self._repeated:
            getattr(message, name).extend(getattr(value, name))
        for name in self._optional:
            if (present := getattr(value, name)) is not None:
                setattr(message, name, present)
        for name, codec, is_repeated in self._children:
            child = getattr(value, name)
            if is_repeated:
                getattr(message, name).extend(codec.to_message(each) for each in child)
            elif child is not None:
                getattr(message, name).CopyFrom(codec.to_message(child))
                getattr(message, name).SetInParent()
        return message

    def from_message(self, message: Message) -> V:
        fields: dict[str, Any] = {name: getattr(message, name) for name in self._plain}
        for name in self._repeated:
            fields[name] = tuple(getattr(message, name))
        for name in self._optional:
            fields[name] = getattr(message, name) if message.HasField(name) else None
        for name, codec, is_repeated in self._children:
            if is_repeated:
                fields[name] = tuple(codec.from_message(each) for each in getattr(message, name))
            elif message.HasField(name):
                fields[name] = codec.from_message(getattr(message, name))
            elif name in self._required:
                raise ValueError(f"{name} is missing")
            else:
                fields[name] = None
        return self._value(**fields)


class OneOfCodec(Generic[V]):
    """A message that is one of several: a oneof field each, perhaps with a sequence number around it."""

    def __init__(self, message: type[Message], variants: Mapping[str, MessageCodec[Any]]) -> None:
        (oneof,) = message.DESCRIPTOR.oneofs
        self._message = message
        self._oneof = oneof.name
        self._by_name = dict(variants)
        self._by_type = {codec._value: (name, codec) for name, codec in variants.items()}
        missing = {field.name for field in oneof.fields} ^ set(variants)
        if missing:
            raise TypeError(f"{message.DESCRIPTOR.name}: {sorted(missing)} on one side only")

    def encode(self, value: V, sequence: int | None = None) -> bytes:
        name, codec = self._by_type[type(value)]
        message = self._message()
        child = getattr(message, name)
        child.CopyFrom(codec.to_message(value))
        child.SetInParent()
        if sequence is not None:
            message.sequence = sequence  # type: ignore[attr-defined]
        return message.SerializeToString()

    def decode(self, raw: bytes) -> V:
        return self.decode_numbered(raw)[1]

    def decode_numbered(self, raw: bytes) -> tuple[int, V]:
        """The sequence number (0 if the message has none) and the value."""
        try:
            message = self._message.FromString(raw)
            name = message.WhichOneof(self._oneof)
            if name is None:
                raise ValueError("nothing in it that this version knows")
            value: V = self._by_name[name].from_message(getattr(message, name))
        except (DecodeError, ValueError, TypeError) as error:
            raise BadMessage("the peer", f"{self._message.DESCRIPTOR.name}: {error}") from error
        return getattr(message, "sequence", 0), value
