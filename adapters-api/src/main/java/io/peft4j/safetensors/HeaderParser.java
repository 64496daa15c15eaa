package io.peft4j.safetensors;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import io.peft4j.safetensors.SafetensorsException.Reason;
import io.peft4j.text.StrictJson;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Parses a header token by token and rejects it at the first token that does not belong.
 *
 * <p>Nothing is built from what has not been checked, so memory stays within a small multiple of
 * the header's own size, whatever it claims.
 */
final class HeaderParser {

    // an object of objects that hold lists
    private static final int DEPTH = 3;

    private final String source;
    private final JsonReader reader;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final List<TensorInfo> tensors = new ArrayList<>();
    private final Set<String> keys = new HashSet<>();

    private HeaderParser(String source, byte[] header) {
        this.source = source;
        this.reader = StrictJson.reader(header, 0, DEPTH);
    }

    /**
     * Parses and validates.
     *
     * @param source what to call the file in messages
     * @param header the JSON text, padding included
     * @param dataBytes how many bytes follow the header in the file
     */
    static Header parse(String source, byte[] header, long dataBytes) throws SafetensorsException {
        if (header.length == 0 || header[0] != '{') {
            throw new SafetensorsException(
                    Reason.HEADER_START,
                    source,
                    "expected the header to begin with '{', found "
                            + (header.length == 0
                                    ? "an empty header"
                                    : "byte " + Byte.toUnsignedInt(header[0])));
        }
        HeaderParser parser = new HeaderParser(source, header);
        try {
            parser.parse();
        } catch (SafetensorsException e) {
            throw e;
        } catch (CharacterCodingException e) {
            throw new SafetensorsException(
                    Reason.HEADER_NOT_UTF8, source, "expected a header in UTF-8", e);
        } catch (EOFException e) {
            throw new SafetensorsException(
                    Reason.INVALID_JSON, source, "the header's JSON ends too early", e);
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            throw new SafetensorsException(
                    Reason.INVALID_JSON,
                    source,
                    "the header is not strict JSON: " + StrictJson.firstLine(e),
                    e);
        }
        return Header.tiling(source, parser.metadata, parser.tensors, dataBytes);
    }

    private void parse() throws IOException {
        reader.beginObject();
        while (reader.hasNext()) {
            String name = reader.nextName();
            if (!keys.add(name)) {
                throw fail(
                        Reason.DUPLICATE_KEY,
                        "expected each name once, found \"" + clip(name) + "\" again");
            }
            if (name.equals(Header.METADATA)) {
                readMetadata();
            } else {
                readTensor(name);
            }
        }
        reader.endObject();
        if (reader.peek() != JsonToken.END_DOCUMENT) {
            throw fail(Reason.INVALID_JSON, "expected only spaces after the header's object");
        }
    }

    private void readMetadata() throws IOException {
        expect(JsonToken.BEGIN_OBJECT, Reason.INVALID_METADATA, "__metadata__ to be an object");
        reader.beginObject();
        while (reader.hasNext()) {
            String key = reader.nextName();
            expect(JsonToken.STRING, Reason.INVALID_METADATA, "__metadata__ to hold only strings");
            String value = reader.nextString();
            if (!Header.isWellFormed(key) || !Header.isWellFormed(value)) {
                throw fail(Reason.INVALID_METADATA, "__metadata__ has an unpaired surrogate");
            }
            if (metadata.put(key, value) != null) {
                throw fail(
                        Reason.DUPLICATE_KEY,
                        "expected each key of __metadata__ once, found \""
                                + clip(key)
                                + "\" again");
            }
        }
        reader.endObject();
    }

    private void readTensor(String name) throws IOException {
        String problem = Header.nameProblem(name);
        if (problem != null) {
            throw fail(
                    Reason.INVALID_NAME,
                    "expected names of at most "
                            + Header.MAX_NAME_BYTES
                            + " bytes, found "
                            + problem);
        }
        if (tensors.size() == Header.MAX_TENSORS) {
            throw fail(
                    Reason.TOO_MANY_TENSORS,
                    "expected at most " + Header.MAX_TENSORS + " tensors, found more");
        }
        String tensor = "tensor \"" + name + "\"";
        expect(JsonToken.BEGIN_OBJECT, Reason.INVALID_JSON, tensor + " to be an object");
        reader.beginObject();
        Dtype dtype = null;
        List<Long> shape = null;
        List<Long> offsets = null;
        while (reader.hasNext()) {
            String field = reader.nextName();
            switch (field) {
                case "dtype" -> {
                    unset(dtype, tensor, field);
                    dtype = readDtype(tensor);
                }
                case "shape" -> {
                    unset(shape, tensor, field);
                    shape =
                            readIntegers(
                                    tensor, field, Header.MAX_DIMENSIONS, Reason.INVALID_SHAPE);
                }
                case "data_offsets" -> {
                    unset(offsets, tensor, field);
                    offsets = readIntegers(tensor, field, 2, Reason.INVALID_OFFSETS);
                }
                default ->
                        throw fail(
                                Reason.UNKNOWN_FIELD,
                                tensor
                                        + ": expected dtype, shape and data_offsets, found \""
                                        + clip(field)
                                        + "\"");
            }
        }
        reader.endObject();
        if (dtype == null || shape == null || offsets == null) {
            throw fail(
                    Reason.MISSING_FIELD,
                    tensor
                            + ": expected dtype, shape and data_offsets, found no "
                            + (dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets"));
        }
        tensors.add(check(new Draft(name, dtype, shape, offsets), tensor));
    }

    private TensorInfo check(Draft draft, String tensor) throws SafetensorsException {
        if (draft.offsets.size() != 2 || draft.offsets.get(0) > draft.offsets.get(1)) {
            throw fail(
                    Reason.INVALID_OFFSETS,
                    tensor
                            + ": expected data_offsets [begin, end] in order, found "
                            + draft.offsets);
        }
        long begin = draft.offsets.get(0);
        long end = draft.offsets.get(1);
        Long bytes = Header.byteCount(draft.dtype, draft.shape);
        String what = draft.dtype + " " + draft.shape;
        if (bytes == null) {
            throw fail(
                    Reason.SIZE_OVERFLOW,
                    tensor + ": expected fewer than 2^63 bytes, found " + what);
        }
        if (bytes != end - begin) {
            throw fail(
                    Reason.SIZE_MISMATCH,
                    tensor
                            + ": expected "
                            + bytes
                            + " bytes for "
                            + what
                            + ", found data_offsets "
                            + draft.offsets
                            + ", which is "
                            + (end - begin));
        }
        return new TensorInfo(draft.name, draft.dtype, draft.shape, begin, end);
    }

    private Dtype readDtype(String tensor) throws IOException {
        expect(JsonToken.STRING, Reason.UNKNOWN_DTYPE, tensor + ": dtype to be a string");
        String name = reader.nextString();
        Dtype dtype = Dtype.ofNullable(name);
        if (dtype == null) {
            throw fail(
                    Reason.UNKNOWN_DTYPE,
                    tensor
                            + ": expected one of F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL,"
                            + " found \""
                            + clip(name)
                            + "\"");
        }
        return dtype;
    }

    private List<Long> readIntegers(String tensor, String field, int limit, Reason reason)
            throws IOException {
        expect(JsonToken.BEGIN_ARRAY, reason, tensor + ": " + field + " to be a list");
        reader.beginArray();
        List<Long> integers = new ArrayList<>();
        while (reader.hasNext()) {
            if (integers.size() == limit) {
                throw fail(
                        reason,
                        tensor
                                + ": expected at most "
                                + limit
                                + " numbers in "
                                + field
                                + ", found more");
            }
            expect(JsonToken.NUMBER, reason, tensor + ": " + field + " to hold only numbers");
            integers.add(readInteger(tensor, field, reason));
        }
        reader.endArray();
        return integers;
    }

    private long readInteger(String tensor, String field, Reason reason) throws IOException {
        String literal = reader.nextString();
        // the literal decides, not its value: 1.0 and 1e3 are no integers to the reference either
        boolean digits = literal.chars().allMatch(c -> c >= '0' && c <= '9');
        if (digits) {
            try {
                return Long.parseLong(literal);
            } catch (NumberFormatException e) {
                // beyond 63 bits: reported below
            }
        }
        throw fail(
                reason,
                tensor
                        + ": expected integers from 0 to 2^63-1 in "
                        + field
                        + ", found "
                        + clip(literal));
    }

    private void unset(@Nullable Object value, String tensor, String field)
            throws SafetensorsException {
        if (value != null) {
            throw fail(
                    Reason.DUPLICATE_KEY, tensor + ": expected " + field + " once, found it again");
        }
    }

    private void expect(JsonToken token, Reason reason, String what) throws IOException {
        JsonToken found = reader.peek();
        if (found != token) {
            throw fail(reason, "expected " + what + ", found " + found);
        }
    }

    private SafetensorsException fail(Reason reason, String detail) {
        return new SafetensorsException(reason, source, detail);
    }

    private static String clip(String text) {
        return text.length() > 80 ? text.substring(0, 80) + "…" : text;
    }

    private record Draft(String name, Dtype dtype, List<Long> shape, List<Long> offsets) {}
}
