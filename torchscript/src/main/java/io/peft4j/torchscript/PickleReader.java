package io.peft4j.torchscript;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads the pickles of TorchScript archives without executing anything: a pickle is a program, of
 * which only the opcodes and names that {@code torch.jit.save} writes are understood. They describe
 * objects of the archive's own classes, tensors, numbers, texts, lists and tuples. Everything else
 * is refused, as is nesting that would end libtorch, which walks it recursively.
 *
 * <p>The position of each object's last attribute is kept, since an attribute is added to an
 * archive by putting bytes there; nothing else of the pickle has to be understood or written anew.
 */
final class PickleReader {

    private static final int MAX_OPERATIONS = 5_000_000;

    /** Each takes a hundred bytes for one of the pickle. */
    private static final int MAX_CONTAINERS = 1_000_000;

    private static final Pattern CLASS = Pattern.compile("__torch__(?:\\.\\w++)++");
    private static final Pattern HARMLESS =
            Pattern.compile(
                    "torch\\.\\w+Storage"
                            + "|torch\\.(device|per_(tensor|channel)_affine\\w*|preserve_format)"
                            + "|torch\\.jit\\._pickle\\.\\w+"
                            + "|torch\\._utils\\._rebuild_(tensor_v2|tensor|qtensor|parameter)"
                            + "|collections\\.OrderedDict");

    private record Global(String name) {}

    /** A list or a tuple. */
    private static final class Values extends ArrayList<@Nullable Object> {
        private static final long serialVersionUID = 1L;
    }

    private static final class Dict {
        private final Map<Object, @Nullable Object> entries = new LinkedHashMap<>();
        private int insertAt = -1;
    }

    private enum Mark {
        MARK
    }

    private final String where;
    private final ByteBuffer bytes;
    private final Values stack = new Values();
    private final Map<Integer, @Nullable Object> memo = new HashMap<>();
    private final List<StoredTensor> tensors = new ArrayList<>();
    private final Map<String, StoredTensor.Storage> storages = new LinkedHashMap<>();
    private final Nesting nesting = new Nesting(PickleReader::parts);
    private int operations;

    private PickleReader(String where, byte[] pickle) {
        this.where = where;
        bytes = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * What a pickle describes.
     *
     * @param root the value
     * @param storages the memory of all tensors in it, in order
     * @param tensors all tensors in it, in order
     */
    record Content(
            @Nullable Object root,
            Collection<StoredTensor.Storage> storages,
            List<StoredTensor> tensors) {}

    /** Reads a pickle; {@code where} begins the messages. */
    static Content read(String where, byte[] pickle) throws TorchScriptException {
        PickleReader reader = new PickleReader(where, pickle);
        try {
            Object root = reader.run();
            return new Content(root, reader.storages.values(), reader.tensors);
        } catch (BufferUnderflowException | IndexOutOfBoundsException | ClassCastException e) {
            throw new TorchScriptException(
                    where + " is damaged near byte " + reader.bytes.position(), e);
        }
    }

    private @Nullable Object run() throws TorchScriptException {
        while (true) {
            int at = bytes.position();
            int opcode = bytes.get() & 0xFF;
            if (++operations > MAX_OPERATIONS) {
                throw refused("more than " + MAX_OPERATIONS + " operations", at);
            }
            if (nesting.size() > MAX_CONTAINERS) {
                throw refused("more than " + MAX_CONTAINERS + " lists and objects", at);
            }
            if (opcode == '.') {
                Object root = pop();
                if (!stack.isEmpty() || bytes.hasRemaining()) {
                    throw refused("something after its end", at);
                }
                if (nesting.isTooDeep()) {
                    throw refused("values nested more than " + Nesting.MAX_DEPTH + " deep", at);
                }
                return root;
            }
            step(opcode, at);
        }
    }

    private void step(int opcode, int at) throws TorchScriptException {
        switch (opcode) {
            case 0x80 -> {
                int protocol = bytes.get();
                if (protocol != 2) {
                    throw refused("protocol " + protocol + " instead of 2", at);
                }
            }
            case 'c' -> push(global(at));
            case 'q' -> memo.put(bytes.get() & 0xFF, peek());
            case 'r' -> memo.put(bytes.getInt(), peek());
            case 'h' -> push(recall(bytes.get() & 0xFF, at));
            case 'j' -> push(recall(bytes.getInt(), at));
            case ')', ']' -> push(nesting.add(new Values()));
            case '}' -> push(nesting.add(new Dict()));
            case '(' -> push(Mark.MARK);
            case 'X' -> push(text(at));
            case 0x88 -> push(true);
            case 0x89 -> push(false);
            case 'N' -> push(null);
            case 'K' -> push((long) (bytes.get() & 0xFF));
            case 'M' -> push((long) (bytes.getShort() & 0xFFFF));
            case 'J' -> push((long) bytes.getInt());
            case 0x8a -> push(longNumber(at));
            case 'G' -> push(Double.longBitsToDouble(Long.reverseBytes(bytes.getLong())));
            case 't' -> push(nesting.add(popToMark()));
            case 0x85, 0x86, 0x87 -> push(nesting.add(popMany(opcode - 0x84)));
            case 'e' -> as(Values.class, peekBelowMark()).addAll(popToMark());
            case 'a' -> {
                Values one = popMany(1);
                as(Values.class, peek()).addAll(one);
            }
            case 'Q' -> push(storage(as(Values.class, pop()), at));
            case 'R' -> reduce(at);
            case 0x81 -> newObject(at);
            case 'u' -> {
                Values items = popToMark();
                Dict dict = as(Dict.class, peek());
                dict.insertAt = at;
                setItems(dict, items, at);
            }
            case 's' -> {
                Values items = popMany(2);
                setItems(as(Dict.class, peek()), items, at);
            }
            case 'b' -> build();
            default ->
                    throw refused(
                            String.format("opcode 0x%02x, which TorchScript never writes", opcode),
                            at);
        }
    }

    private Global global(int at) throws TorchScriptException {
        String name = line() + "." + line();
        if (!CLASS.matcher(name).matches() && !HARMLESS.matcher(name).matches()) {
            throw refused(
                    "the name "
                            + name.replaceAll("\\p{Cntrl}", "?")
                            + ", which TorchScript never uses",
                    at);
        }
        return new Global(name);
    }

    private String line() {
        StringBuilder line = new StringBuilder();
        for (char c; (c = (char) (bytes.get() & 0xFF)) != '\n'; ) {
            if (line.length() == 1000) {
                throw new IndexOutOfBoundsException("a name without end");
            }
            line.append(c);
        }
        return line.toString();
    }

    private @Nullable Object recall(int key, int at) throws TorchScriptException {
        if (!memo.containsKey(key)) {
            throw refused("a reference to number " + key + ", which is not there", at);
        }
        return memo.get(key);
    }

    private String text(int at) throws TorchScriptException {
        int length = bytes.getInt();
        if (length < 0 || length > bytes.remaining()) {
            throw refused("a text of " + Integer.toUnsignedString(length) + " bytes", at);
        }
        byte[] text = new byte[length];
        bytes.get(text);
        return new String(text, StandardCharsets.UTF_8);
    }

    private long longNumber(int at) throws TorchScriptException {
        int length = bytes.get() & 0xFF;
        if (length > 8) {
            throw refused("a number of " + length + " bytes", at);
        }
        long number = 0;
        for (int i = 0; i < length; i++) {
            number |= (bytes.get() & 0xFFL) << (8 * i);
        }
        int unused = 64 - 8 * length;
        return length == 0 ? 0 : number << unused >> unused;
    }

    private void setItems(Dict dict, Values items, int at) throws TorchScriptException {
        for (int i = 0; i < items.size(); i += 2) {
            Object key = items.get(i);
            if (!(key instanceof String || key instanceof Long || key instanceof Double)) {
                throw refused("a key that is neither a text nor a number", at);
            }
            Object value = items.get(i + 1);
            dict.entries.put(key, value);
        }
    }

    /** What a value holds. */
    private static Iterable<@Nullable Object> parts(Object value) {
        if (value instanceof Dict dict) {
            return dict.entries.values();
        }
        return value instanceof PickledObject object ? object.states() : (Values) value;
    }

    /**
     * A storage, as {@code ('storage', type, key, device, size)}. Where it is used again, it is
     * recalled: described again, libtorch would read it again, and fill the memory with copies.
     */
    private StoredTensor.Storage storage(Values id, int at) throws TorchScriptException {
        if (id.size() == 5
                && "storage".equals(id.get(0))
                && id.get(1) instanceof Global type
                && id.get(2) instanceof String key
                && id.get(4) instanceof Long size
                && size >= 0
                && key.matches("\\w{1,100}")) {
            String name = type.name();
            StoredTensor.Storage storage =
                    new StoredTensor.Storage(key, name.substring(name.indexOf('.') + 1), size);
            if (storages.put(key, storage) != null) {
                throw refused("storage " + key + " twice", at);
            }
            return storage;
        }
        throw refused("a storage that is described in another way than TorchScript's", at);
    }

    private void reduce(int at) throws TorchScriptException {
        Values arguments = as(Values.class, pop());
        Global function = as(Global.class, pop());
        if (function.name().endsWith("._rebuild_qtensor")
                || function.name().endsWith("._rebuild_tensor_v2")) {
            StoredTensor.Storage storage = as(StoredTensor.Storage.class, arguments.get(0));
            StoredTensor tensor =
                    StoredTensor.within(
                            storage,
                            as(Long.class, arguments.get(1)),
                            axes(as(Values.class, arguments.get(2))),
                            axes(as(Values.class, arguments.get(3))));
            if (tensor == null) {
                throw refused(
                        "a tensor that reaches out of its storage "
                                + storage.key()
                                + " of "
                                + storage.size()
                                + " elements",
                        at);
            }
            tensors.add(tensor);
            push(tensor);
        } else if (function.name().startsWith("torch._utils.")) {
            throw refused(function.name() + ", which TorchScript no longer writes", at);
        } else {
            push(arguments); // a list with its type; nothing here asks for its items
        }
    }

    private static long[] axes(Values values) {
        return values.stream().mapToLong(value -> as(Long.class, value)).toArray();
    }

    private void newObject(int at) throws TorchScriptException {
        pop();
        Global type = as(Global.class, pop());
        if (!CLASS.matcher(type.name()).matches()) {
            throw refused("an object of " + type.name(), at);
        }
        push(nesting.add(new PickledObject(type.name())));
    }

    private void build() {
        Object state = pop();
        PickledObject object = as(PickledObject.class, peek());
        object.states().add(state);
        if (state instanceof Dict dict) { // else it is what the class's __setstate__ takes
            object.build(dict.entries, dict.insertAt);
        }
    }

    private static <T> T as(Class<T> type, @Nullable Object value) {
        if (value == null) {
            throw new ClassCastException("nothing in the place of a value");
        }
        return type.cast(value);
    }

    private void push(@Nullable Object value) {
        stack.add(value);
    }

    private @Nullable Object pop() {
        Object value = stack.remove(stack.size() - 1);
        if (value == Mark.MARK) {
            throw new IndexOutOfBoundsException("a mark in the place of a value");
        }
        return value;
    }

    private @Nullable Object peek() {
        return stack.get(stack.size() - 1);
    }

    private @Nullable Object peekBelowMark() {
        return stack.get(stack.lastIndexOf(Mark.MARK) - 1);
    }

    private Values popToMark() {
        int mark = stack.lastIndexOf(Mark.MARK);
        Values values = new Values();
        values.addAll(stack.subList(mark + 1, stack.size()));
        stack.subList(mark, stack.size()).clear();
        return values;
    }

    private Values popMany(int count) {
        Values values = new Values();
        List<@Nullable Object> top = stack.subList(stack.size() - count, stack.size());
        if (top.contains(Mark.MARK)) {
            throw new IndexOutOfBoundsException("a mark in the place of a value");
        }
        values.addAll(top);
        top.clear();
        return values;
    }

    private TorchScriptException refused(String what, int at) {
        return new TorchScriptException(
                where + " has " + what + " (byte " + at + "); pickles are read, never executed");
    }
}
