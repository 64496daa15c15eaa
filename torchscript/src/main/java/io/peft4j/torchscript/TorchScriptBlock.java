package io.peft4j.torchscript;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.files.AtomicFiles;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.ScriptModule;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A TorchScript archive as a DJL block that adapters can attach to with {@link
 * io.peft4j.adapters.Adapters}. Its inputs and outputs are those that DJL's own block for the
 * archive has; its children are the archive's modules, by their names in PyTorch.
 *
 * <pre>{@code
 * try (Model model = Model.newInstance("bert", "PyTorch")) {
 *     TorchScriptBlock block = TorchScriptBlock.load(file, model.getNDManager());
 *     model.setBlock(block);
 *     AdaptedModel adapted = Adapters.attach(model, config);
 *     ...
 *     adapted.mergeAndUnload();
 *     block.writeArchive(merged);
 * }
 * }</pre>
 *
 * <p>What libtorch loads is a copy with a few methods more, see {@link Surgery}. A linear layer
 * with one adapter adds the low-rank path to its output; any other weight is replaced by its
 * effective weight for the pass. Both carry their history, so that backward reaches the adapter.
 *
 * <p>Several threads may compute at once with the plain model. With adapters they take turns, since
 * a module of libtorch has only one state, unless there are copies of it: {@link #setCopies}.
 *
 * <p>Running statistics of a scripted batch norm are libtorch's own and change in training, as in
 * PEFT. A traced model computes as it was traced: without dropout, if in its evaluation mode.
 */
public final class TorchScriptBlock extends ModuleBlock implements AutoCloseable {

    private static final Logger LOGGER = LoggerFactory.getLogger(TorchScriptBlock.class);

    private final Path file;
    private final ScriptModule module;
    private final Map<String, Parameter> byPath = new LinkedHashMap<>();
    private final Map<String, ZipDirectory.Entry> records;
    private final Pass pass;
    private final ModuleCopies copies = new ModuleCopies();
    private final boolean allowsCopies;
    private final NDManager owner;

    private TorchScriptBlock(
            Path file,
            TorchScriptArchive archive,
            Surgery surgery,
            String root,
            ScriptModule module,
            NDManager owner)
            throws TorchScriptException {
        this.file = file;
        this.module = module;
        this.owner = owner;
        allowsCopies = surgery.allowsCopies();
        records = Map.copyOf(archive.zip().entries());
        Map<String, ModuleBlock> blocks = new LinkedHashMap<>();
        blocks.put(root, this);
        for (String path : archive.modules().keySet()) {
            int dot = path.lastIndexOf('.');
            ModuleBlock above = blocks.get(dot < 0 ? "" : path.substring(0, dot));
            if (above != null && !blocks.containsKey(path)) {
                ModuleBlock block = new ModuleBlock();
                above.add(path.substring(dot + 1), block);
                blocks.put(path, block);
            }
        }
        for (TorchScriptWeight weight : surgery.weights()) {
            NDArray values = module.parameters().get(weight.path());
            ModuleBlock block = blocks.get(weight.module());
            if (block == null) {
                throw archive.refused(
                        "weight "
                                + weight.path()
                                + " does not lie below "
                                + root
                                + "; leave the root out");
            }
            if (values == null) {
                throw archive.refused("libtorch knows no parameter " + weight.path());
            }
            byPath.put(weight.path(), block.add(weight, values));
        }
        pass = new Pass(module, copies, surgery, byPath);
    }

    /**
     * Loads an archive.
     *
     * @param file a file of {@code torch.jit.save}; {@link #writeArchive} needs it again
     * @param owner the manager of the model, which also says on which device
     * @return the block; it is closed with its manager
     * @throws TorchScriptException if the file is no archive, is damaged, or has no weight that
     *     adapters can reach
     * @throws IOException if the file cannot be read
     */
    public static TorchScriptBlock load(Path file, NDManager owner) throws IOException {
        return load(file, "", owner);
    }

    /**
     * Loads an archive whose model lies in a wrapper that was made to trace it, so that the names
     * are those of the model itself and its adapters those of PEFT on it.
     *
     * @param file a file of {@code torch.jit.save}
     * @param root the path of the wrapped module, such as {@code model}; empty if there is none
     * @param owner the manager of the model, which also says on which device
     * @return the block, which computes what the whole archive does
     * @throws TorchScriptException as {@link #load(Path, NDManager)}, or if a weight lies elsewhere
     * @throws IOException if the file cannot be read
     */
    public static TorchScriptBlock load(Path file, String root, NDManager owner)
            throws IOException {
        try (TorchScriptArchive archive = TorchScriptArchive.open(file)) {
            if (!archive.modules().containsKey(root)) {
                throw archive.refused("there is no module " + root);
            }
            Surgery surgery = Surgery.plan(archive);
            String obstacles = archive.obstacles();
            if (surgery.weights().stream().noneMatch(TorchScriptWeight::isAdaptable)) {
                throw archive.refused(
                        "there is no weight that an adapter could attach to"
                                + reason(archive, obstacles));
            }
            if (obstacles != null) {
                LOGGER.warn("{}: {}", file, obstacles);
            }
            for (TorchScriptWeight weight : archive.weights()) {
                if (weight.obstacle() != null) {
                    LOGGER.warn(
                            "{}: {} cannot be adapted: {}", file, weight.path(), weight.obstacle());
                }
            }
            ScriptModule module = loadCopy(archive, surgery, owner);
            try {
                return new TorchScriptBlock(file, archive, surgery, root, module, owner);
            } catch (IOException | RuntimeException | Error e) {
                module.close();
                throw e;
            }
        }
    }

    private static String reason(TorchScriptArchive archive, @Nullable String obstacles)
            throws TorchScriptException {
        if (obstacles != null) {
            return ": " + obstacles;
        }
        for (TorchScriptWeight weight : archive.weights()) {
            if (weight.obstacle() != null) {
                return ": " + weight.path() + " cannot be, since " + weight.obstacle();
            }
        }
        return "";
    }

    private static ScriptModule loadCopy(
            TorchScriptArchive archive, Surgery surgery, NDManager owner) throws IOException {
        Path directory = Files.createTempDirectory("peft4j-archive");
        Path copy = directory.resolve("adaptable.pt");
        try {
            AtomicFiles.writeStream(copy, surgery::write);
            return ScriptModule.load(owner, copy);
        } catch (EngineException e) {
            String reason = String.valueOf(e.getMessage()).strip().lines().findFirst().orElse("");
            throw new TorchScriptException(
                    archive.zip().file() + ": libtorch refuses it: " + reason, e);
        } finally {
            Files.deleteIfExists(copy);
            Files.deleteIfExists(directory);
        }
    }

    /**
     * Puts an adaptable block in the place of the TorchScript block of a model that DJL has loaded,
     * such as {@code Criteria.loadModel()} gives. The names are the archive's own.
     *
     * @param model a loaded model whose archive is still on the disk
     * @return the block, which the model has now; the one before is closed
     * @throws TorchScriptException as {@link #load(Path, NDManager)}
     * @throws IOException if the file cannot be found or read
     */
    public static TorchScriptBlock replaceIn(Model model) throws IOException {
        return replaceIn(model, "");
    }

    /**
     * Puts an adaptable block in the place of a model's TorchScript block.
     *
     * @param model a loaded model whose archive is still on the disk
     * @param root as in {@link #load(Path, String, NDManager)}
     * @return the block, which the model has now; the one before is closed
     * @throws TorchScriptException as {@link #load(Path, String, NDManager)}
     * @throws IOException if the file cannot be found or read
     */
    public static TorchScriptBlock replaceIn(Model model, String root) throws IOException {
        Path archive = TorchScriptBlockFactory.archiveIn(model.getModelPath(), model.getName());
        TorchScriptBlock block = load(archive, root, model.getNDManager());
        Block before = model.getBlock();
        model.setBlock(block);
        if (before instanceof PtSymbolBlock loaded) {
            loaded.close();
        }
        return block;
    }

    /**
     * Writes the archive with the weights as they are now, as after a merge. It has nothing of this
     * library: the code is the original's, byte for byte.
     *
     * @param target the file; replaced atomically
     * @throws TorchScriptException if the file that was loaded has changed since
     * @throws IOException if it cannot be read, or the target not be written
     */
    public void writeArchive(Path target) throws IOException {
        try (TorchScriptArchive archive = TorchScriptArchive.open(file)) {
            requireSame(archive);
            AtomicFiles.writeStream(
                    target, stream -> new MergedArchive(archive, byPath).write(stream));
        }
    }

    /**
     * Loads copies of the module that share all its tensors, so that as many threads predict with
     * adapters at once; without, they take turns. A copy costs what the archive's code takes, and
     * the time to load it. Training and passes without adapters use the first module.
     *
     * @param number how many copies there shall be, such as the number of cores; never fewer than
     *     before
     * @throws TorchScriptException if the module has state that copies cannot share, as a list that
     *     its code appends to, or if the file that was loaded has changed since
     * @throws IOException if the file cannot be read
     */
    public synchronized void setCopies(int number) throws IOException {
        if (number <= copies.count()) {
            return;
        }
        try (TorchScriptArchive archive = TorchScriptArchive.open(file)) {
            requireSame(archive);
            if (!allowsCopies) {
                throw archive.refused(
                        "it has state beside its tensors, which copies cannot share; threads take"
                                + " turns with adapters");
            }
            Surgery surgery = Surgery.plan(archive);
            while (copies.count() < number) {
                ScriptModule copy = loadCopy(archive, surgery, owner);
                copy.share(owner, Surgery.TENSORS, Surgery.SHARE, module);
                copies.add(copy);
            }
        }
    }

    private void requireSame(TorchScriptArchive archive) throws TorchScriptException {
        if (!archive.zip().entries().equals(records)) {
            throw archive.refused("it is another archive than the one that was loaded");
        }
    }

    /**
     * Returns the file that was loaded.
     *
     * @return the archive
     */
    public Path file() {
        return file;
    }

    /**
     * Computes what the archive computes, with the adapters that the store knows. Outputs in
     * bfloat16 become float32, since DJL cannot compute with it; inputs in it are made with {@link
     * BFloat16}.
     */
    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        return pass.run(parameterStore, inputs, training);
    }

    /**
     * Computes the shapes of the outputs by a pass over ones: float32, or the type of the weights,
     * or int64 where the model does not take those, as token numbers.
     *
     * @param inputShapes the shapes of the inputs
     * @return the shapes of the outputs
     */
    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        NDArray weight = byPath.values().iterator().next().getArray();
        EngineException refused = null;
        try (NDManager scope = weight.getManager().newSubManager()) {
            for (UnaryOperator<NDArray> type : typesOf(scope, weight)) {
                NDList inputs = new NDList();
                for (Shape shape : inputShapes) {
                    inputs.add(type.apply(scope.ones(shape, DataType.FLOAT32)));
                }
                try {
                    NDList outputs = pass.run(new ParameterStore(scope, false), inputs, false);
                    return outputs.stream().map(NDArray::getShape).toArray(Shape[]::new);
                } catch (EngineException e) {
                    refused = e;
                }
            }
        }
        throw Objects.requireNonNull(refused);
    }

    private static List<UnaryOperator<NDArray>> typesOf(NDManager scope, NDArray weight) {
        UnaryOperator<NDArray> own =
                BFloat16.isBFloat16(weight)
                        ? ones -> BFloat16.of(scope, ones)
                        : ones -> ones.toType(weight.getDataType(), false);
        return List.of(ones -> ones, own, ones -> ones.toType(DataType.INT64, false));
    }

    @Override
    public void saveParameters(DataOutputStream os) throws IOException {
        BFloat16.requireNone("TorchScriptBlock.saveParameters", getParameters());
        ParameterValues.write(byPath, os);
    }

    /** Reads values into libtorch's own memory; the arrays stay the same. */
    @Override
    public void loadParameters(NDManager manager, DataInputStream is)
            throws IOException, MalformedModelException {
        ParameterValues.read(byPath, manager, is);
    }

    /** Frees the module; a second call does nothing. */
    @Override
    public void close() {
        copies.close();
        module.close();
    }
}
