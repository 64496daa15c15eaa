package io.peft4j.safetensors;

import java.io.IOException;

/** A safetensors file or index that breaks the format, or a request that does not fit it. */
public final class SafetensorsException extends IOException {

    private static final long serialVersionUID = 1L;

    /** What was wrong; the list is closed. */
    public enum Reason {
        /** A Python pickle, which runs code when it is loaded. */
        PICKLE,
        /** Not a regular file. */
        NOT_A_FILE,
        /** Fewer than the 8 bytes of the header's length. */
        FILE_TOO_SHORT,
        /** A header beyond 100,000,000 bytes. */
        HEADER_TOO_LARGE,
        /** A header that reaches beyond the end of the file. */
        HEADER_BEYOND_FILE,
        /** A header that does not begin with an opening brace. */
        HEADER_START,
        /** A header that is not UTF-8. */
        HEADER_NOT_UTF8,
        /** A header that is not strict JSON of the expected structure. */
        INVALID_JSON,
        /** A tensor, field or metadata key given twice. */
        DUPLICATE_KEY,
        /** {@code __metadata__} that is not an object of strings. */
        INVALID_METADATA,
        /** A tensor with a field besides dtype, shape and data_offsets. */
        UNKNOWN_FIELD,
        /** A tensor without dtype, shape or data_offsets. */
        MISSING_FIELD,
        /** An element type that this library does not know. */
        UNKNOWN_DTYPE,
        /** A shape that is not a list of at most 64 non-negative integers. */
        INVALID_SHAPE,
        /** Offsets that are not two non-negative integers in order. */
        INVALID_OFFSETS,
        /** A shape whose size in bytes exceeds 63 bits. */
        SIZE_OVERFLOW,
        /** Offsets that disagree with dtype and shape. */
        SIZE_MISMATCH,
        /** Two tensors that share bytes. */
        OVERLAP,
        /** Bytes between two tensors, or before the first, that belong to none. */
        HOLE,
        /** Offsets beyond the end of the file, or a file that shrank while it was open. */
        DATA_TRUNCATED,
        /** Bytes after the last tensor. */
        TRAILING_BYTES,
        /** More than 100,000 tensors. */
        TOO_MANY_TENSORS,
        /** A name beyond 512 bytes, with unpaired surrogates, or reserved. */
        INVALID_NAME,
        /** A name that the file does not have. */
        TENSOR_NOT_FOUND,
        /** A request that the tensor's element type or size cannot meet. */
        WRONG_REQUEST,
        /** A tensor source that gave more or fewer bytes than its shape says. */
        WRONG_SOURCE,
        /** A directory without the model's file or index. */
        NO_MODEL_FILE,
        /** A shard index that is not JSON of the expected structure. */
        INVALID_INDEX,
        /** A shard that the index names and the directory lacks. */
        MISSING_SHARD,
        /** Shards and index that disagree on where a tensor lies. */
        SHARD_MISMATCH
    }

    private final Reason reason;

    SafetensorsException(Reason reason, Object source, String detail) {
        super(source + ": " + detail);
        this.reason = reason;
    }

    SafetensorsException(Reason reason, Object source, String detail, Throwable cause) {
        super(source + ": " + detail, cause);
        this.reason = reason;
    }

    /**
     * Returns what was wrong.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
