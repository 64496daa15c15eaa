package io.peft4j.torchscript;

import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.ScalarType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A file of {@code torch.jit.save}, opened without libtorch: the modules it has, and the weights
 * that adapters can attach to. Nothing of it is executed, and everything that it says of itself is
 * checked: sizes against the file, views against their storages, names, nesting.
 */
public final class TorchScriptArchive implements AutoCloseable {

    private static final int MAX_PICKLE = 64 << 20;
    private static final int MAX_MODULES = 100_000;
    private static final int MAX_NESTED = 200;
    private static final Pattern USE_OF_WEIGHT =
            Pattern.compile(
                    "torch\\.(?:linear|addmm|matmul|mm|embedding|conv\\dd|_convolution)\\(");
    private static final Pattern CONSTANT = Pattern.compile("CONSTANTS\\.c(\\d{1,9})\\b");

    private final ZipRecords zip;
    private final ArchiveCode code;
    private final byte[] pickle;
    private final PickledObject root;
    private final Map<String, PickledObject> modules = new LinkedHashMap<>();

    /** Paths by where their memory begins: those that share it are tied. */
    private final Map<String, List<String>> names = new LinkedHashMap<>();

    private final WeightReads reads;
    private final Set<PickledObject> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    private final List<StoredTensor> constants;
    private final Set<String> quantised = new LinkedHashSet<>();

    private TorchScriptArchive(ZipRecords zip) throws IOException {
        this.zip = zip;
        if (!zip.has("data.pkl") || !zip.has("constants.pkl")) {
            throw refused(
                    "there is no program in it: a state dict, an ONNX file or a Python pickle"
                            + " cannot be adapted; trace or script the model");
        }
        if (zip.has("byteorder") && !zip.text("byteorder", 100).equals("little")) {
            throw refused("its numbers are big-endian; save it on a little-endian machine");
        }
        pickle = zip.read("data.pkl", MAX_PICKLE);
        PickleReader.Content content = PickleReader.read(zip.file() + ": data.pkl", pickle);
        if (!(content.root() instanceof PickledObject object)) {
            throw refused("its data.pkl holds no module");
        }
        root = object;
        byte[] pickled = zip.read("constants.pkl", MAX_PICKLE);
        constants = PickleReader.read(zip.file() + ": constants.pkl", pickled).tensors();
        requireStorages("data/", content.tensors());
        requireStorages("constants/", constants);
        code = ArchiveCode.read(zip);
        collect("", root, Collections.newSetFromMap(new IdentityHashMap<>()));
        reads = WeightReads.of(modules.values(), this::classOf);
    }

    /**
     * Opens an archive.
     *
     * @param file a file of {@code torch.jit.save}
     * @return the archive; close it
     * @throws TorchScriptException if it is none, is damaged, or has what torch.jit never writes
     * @throws IOException if the file cannot be read
     */
    public static TorchScriptArchive open(Path file) throws IOException {
        ZipRecords zip = ZipRecords.open(file);
        try {
            return new TorchScriptArchive(zip);
        } catch (IOException | RuntimeException | Error e) {
            zip.close();
            throw e;
        }
    }

    /** libtorch would read past the end of a record that is too short. */
    private void requireStorages(String folder, List<StoredTensor> tensors)
            throws TorchScriptException {
        Map<String, Long> sizes = new LinkedHashMap<>();
        for (StoredTensor tensor : tensors) {
            ZipDirectory.Entry record = zip.entries().get(folder + tensor.storage());
            int width = StoredTensor.width(tensor.storageType());
            if (width == 0) {
                throw refused("a tensor of type " + tensor.storageType() + " is not known");
            }
            long has = record == null ? -1 : record.size();
            boolean same = sizes.getOrDefault(tensor.storage(), has) == has;
            if (tensor.storageSize() > Long.MAX_VALUE / width
                    || has != tensor.storageSize() * width
                    || !same) {
                throw refused(
                        "storage "
                                + folder
                                + tensor.storage()
                                + " of "
                                + tensor.storageSize()
                                + " elements of "
                                + width
                                + " bytes has "
                                + (has < 0 ? "no record" : "a record of " + has + " bytes"));
            }
            sizes.put(tensor.storage(), has);
        }
    }

    private void collect(String path, PickledObject module, Set<PickledObject> above)
            throws TorchScriptException {
        if (modules.size() >= MAX_MODULES) {
            throw refused("more than " + MAX_MODULES + " modules");
        }
        if (above.size() > MAX_NESTED) {
            throw refused("modules nested more than " + MAX_NESTED + " deep");
        }
        if (above.contains(module)) {
            throw refused("module " + path + " lies within itself");
        }
        if (!seen.add(module)) {
            return; // one module in two places goes by the first, as in PyTorch
        }
        above.add(module);
        modules.put(path, module);
        boolean packed = module.className().contains(".quantized.");
        if (packed) {
            quantised.add(path);
        }
        for (Map.Entry<Object, @Nullable Object> attribute : module.attributes().entrySet()) {
            String below =
                    path.isEmpty() ? "" + attribute.getKey() : path + "." + attribute.getKey();
            if (attribute.getValue() instanceof PickledObject child && isModule(child)) {
                collect(below, child, above);
            } else if (attribute.getValue() instanceof StoredTensor tensor) {
                names.computeIfAbsent(memory(tensor), key -> new ArrayList<>()).add(below);
            }
        }
        above.remove(module);
    }

    private static boolean isModule(PickledObject object) {
        return !object.className().startsWith("__torch__.torch.classes.");
    }

    /**
     * Lists the floating-point weights, biases among them.
     *
     * @return the weights, in the archive's order
     * @throws TorchScriptException if the code of a module is missing
     */
    public List<TorchScriptWeight> weights() throws TorchScriptException {
        List<TorchScriptWeight> weights = new ArrayList<>();
        for (Map.Entry<String, PickledObject> module : modules.entrySet()) {
            ClassText type = classOf(module.getValue());
            Set<String> parameters = parametersOf(type);
            for (Map.Entry<Object, @Nullable Object> attribute :
                    module.getValue().attributes().entrySet()) {
                if (attribute.getValue() instanceof StoredTensor tensor
                        && tensor.scalarType() != null
                        && parameters.contains("" + attribute.getKey())) {
                    String name = "" + attribute.getKey();
                    weights.add(weight(module.getKey(), module.getValue(), name, type, tensor));
                }
            }
        }
        return weights;
    }

    private TorchScriptWeight weight(
            String path, PickledObject module, String name, ClassText type, StoredTensor tensor) {
        String own = path.isEmpty() ? name : path + "." + name;
        ScalarType scalar = Objects.requireNonNull(tensor.scalarType());
        List<String> ties = new ArrayList<>(names.getOrDefault(memory(tensor), List.of()));
        ties.remove(own);
        Collections.sort(ties);
        String className = module.simpleName();
        return new TorchScriptWeight(
                path,
                name,
                className,
                new Shape(tensor.shape()),
                scalar,
                WeightKinds.of(type, className, name, tensor.shape().length),
                WeightKinds.isTransposed(className),
                ties,
                obstacle(module, name, ties));
    }

    private static String memory(StoredTensor tensor) {
        return tensor.storage() + ":" + tensor.offset();
    }

    private @Nullable String obstacle(PickledObject module, String name, List<String> ties) {
        if (!name.matches("[A-Za-z_]\\w*")) {
            return "its name is no identifier";
        }
        boolean read = !reads.readersOf(module, name).isEmpty();
        for (String tie : ties) {
            int dot = tie.lastIndexOf('.');
            PickledObject other = modules.get(dot < 0 ? "" : tie.substring(0, dot));
            boolean otherRead =
                    other != null && !reads.readersOf(other, tie.substring(dot + 1)).isEmpty();
            if (!read || !otherRead) {
                return "it shares its memory with "
                        + tie
                        + ", and the trace has made one of the two";
            }
        }
        return read ? null : "the archive's code never reads it";
    }

    private static Set<String> parametersOf(ClassText type) {
        Matcher list = Pattern.compile("(?m)^  __parameters__ = \\[(.*)]$").matcher(type.text());
        Set<String> names = new LinkedHashSet<>();
        if (list.find()) {
            for (String name : list.group(1).split(",", -1)) {
                names.add(name.strip().replace("\"", ""));
            }
        }
        return names;
    }

    /**
     * Says what of the model no adapter can reach.
     *
     * @return a line, or null if there is nothing of the kind
     */
    @Nullable String obstacles() {
        Set<Integer> folded = new LinkedHashSet<>();
        for (String text : code.records().values()) {
            text.lines()
                    .filter(line -> line.contains("CONSTANTS.c"))
                    .filter(line -> USE_OF_WEIGHT.matcher(line).find())
                    .flatMap(line -> CONSTANT.matcher(line).results())
                    .map(use -> Integer.parseInt(use.group(1)))
                    .filter(number -> number < constants.size())
                    .filter(number -> constants.get(number).shape().length > 1)
                    .forEach(folded::add);
        }
        if (!folded.isEmpty()) {
            return folded.size()
                    + " of its weights are constants in its code, as"
                    + " torch.jit.freeze makes them; save the model before it is frozen";
        }
        return quantised.isEmpty()
                ? null
                : "module "
                        + quantised.iterator().next()
                        + " is quantised"
                        + (quantised.size() > 1 ? ", and " + (quantised.size() - 1) + " more" : "")
                        + "; adapters need the floating-point model that it was made from";
    }

    ClassText classOf(PickledObject object) throws TorchScriptException {
        try {
            return code.of(object);
        } catch (TorchScriptException e) {
            throw new TorchScriptException(zip.file() + ": " + e.getMessage(), e);
        }
    }

    ZipRecords zip() {
        return zip;
    }

    ArchiveCode code() {
        return code;
    }

    byte[] pickle() {
        return pickle;
    }

    PickledObject root() {
        return root;
    }

    Map<String, PickledObject> modules() {
        return modules;
    }

    WeightReads reads() {
        return reads;
    }

    TorchScriptException refused(String why) {
        return new TorchScriptException(zip.file() + ": " + why);
    }

    /** Closes the file. */
    @Override
    public void close() throws IOException {
        zip.close();
    }
}
