from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Order(_message.Message):
    __slots__ = ("job_id", "shadow_address", "claim_secret", "machine", "inside_uid", "inside_gid", "outside_uid", "outside_gid", "mirror_directory", "mirror_bytes", "mirror_inodes", "cache_directory", "memory_bytes", "max_processes", "host_network", "features")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    SHADOW_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_SECRET_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    INSIDE_UID_FIELD_NUMBER: _ClassVar[int]
    INSIDE_GID_FIELD_NUMBER: _ClassVar[int]
    OUTSIDE_UID_FIELD_NUMBER: _ClassVar[int]
    OUTSIDE_GID_FIELD_NUMBER: _ClassVar[int]
    MIRROR_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    MIRROR_BYTES_FIELD_NUMBER: _ClassVar[int]
    MIRROR_INODES_FIELD_NUMBER: _ClassVar[int]
    CACHE_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PROCESSES_FIELD_NUMBER: _ClassVar[int]
    HOST_NETWORK_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    shadow_address: str
    claim_secret: str
    machine: str
    inside_uid: int
    inside_gid: int
    outside_uid: int
    outside_gid: int
    mirror_directory: str
    mirror_bytes: int
    mirror_inodes: int
    cache_directory: str
    memory_bytes: int
    max_processes: int
    host_network: bool
    features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, job_id: _Optional[str] = ..., shadow_address: _Optional[str] = ..., claim_secret: _Optional[str] = ..., machine: _Optional[str] = ..., inside_uid: _Optional[int] = ..., inside_gid: _Optional[int] = ..., outside_uid: _Optional[int] = ..., outside_gid: _Optional[int] = ..., mirror_directory: _Optional[str] = ..., mirror_bytes: _Optional[int] = ..., mirror_inodes: _Optional[int] = ..., cache_directory: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., max_processes: _Optional[int] = ..., host_network: _Optional[bool] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...
