package io.peft4j.torchscript;

import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.ScalarType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
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
    private static final Pattern USE_OF_WEIGHT =
            Pattern.compile(
                    "torch\\.(?:linear|addmm|matmul|mm|embedding|conv\\dd|_convolution)\\(");
    private static final Pattern PATH = Pattern.compile("[A-Za-z_0-9.]++");
    private static final Pattern PARAMETERS = Pattern.compile("(?m)^  __parameters__ = \\[(.*)]$");
    private static final Pattern CONSTANT = Pattern.compile("CONSTANTS\\.c(\\d{1,9})\\b");

    private final ZipRecords zip;
    private final ArchiveCode code;
    private final byte[] pickle;
    private final PickledObject root;
    private final ArchiveModules modules;
    private final WeightReads reads;
    private final List<StoredTensor> constants;

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
        PickleReader.Content more = PickleReader.read(zip.file() + ": constants.pkl", pickled);
        constants = more.tensors();
        requireStorages("data/", content.storages());
        requireStorages("constants/", more.storages());
        code = ArchiveCode.read(zip);
        modules = ArchiveModules.of(zip.file().toString(), root);
        reads = WeightReads.of(zip.file().toString(), modules().values(), this::classOf);
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
    private void requireStorages(String folder, Iterable<StoredTensor.Storage> storages)
            throws TorchScriptException {
        for (StoredTensor.Storage storage : storages) {
            ZipDirectory.Entry record = zip.entries().get(folder + storage.key());
            int width = StoredTensor.width(storage.type());
            if (width == 0) {
                throw refused("a tensor of type " + storage.type() + " is not known");
            }
            long has = record == null ? -1 : record.size();
            if (storage.size() > Long.MAX_VALUE / width || has != storage.size() * width) {
                throw refused(
                        "storage "
                                + folder
                                + storage.key()
                                + " of "
                                + storage.size()
                                + " elements of "
                                + width
                                + " bytes has "
                                + (has < 0 ? "no record" : "a record of " + has + " bytes"));
            }
        }
    }

    /**
     * Lists the floating-point weights, biases among them.
     *
     * @return the weights, in the archive's order
     * @throws TorchScriptException if the code of a module is missing
     */
    public List<TorchScriptWeight> weights() throws TorchScriptException {
        List<TorchScriptWeight> weights = new ArrayList<>();
        for (Map.Entry<String, PickledObject> module : modules().entrySet()) {
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
        String own = ArchiveModules.join(path, name);
        ScalarType scalar = Objects.requireNonNull(tensor.scalarType());
        List<String> ties = new ArrayList<>(modules.sharing(tensor));
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
                obstacle(own, module, name, tensor, ties));
    }

    private @Nullable String obstacle(
            String path,
            PickledObject module,
            String name,
            StoredTensor tensor,
            List<String> ties) {
        if (!PATH.matcher(path).matches() || !name.matches("[A-Za-z_]\\w*")) {
            return "its path is not made of identifiers and numbers";
        }
        if (tensor.overlaps()) {
            return "its elements share memory with each other";
        }
        boolean read = !reads.readersOf(module, name).isEmpty();
        for (String tie : ties) {
            int dot = tie.lastIndexOf('.');
            PickledObject other = modules().get(dot < 0 ? "" : tie.substring(0, dot));
            boolean otherRead =
                    other != null && !reads.readersOf(other, tie.substring(dot + 1)).isEmpty();
            if (!read || !otherRead) {
                return "it shares its memory with "
                        + tie
                        + ", and the trace has made one of the two; clone the weight of one"
                        + " before tracing, or script the model";
            }
        }
        return read ? null : "the archive's code never reads it";
    }

    private static Set<String> parametersOf(ClassText type) {
        Matcher list = PARAMETERS.matcher(type.text());
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
        Set<String> quantised = modules.quantised();
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
        return modules.byPath();
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
