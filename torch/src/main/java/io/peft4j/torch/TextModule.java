package io.peft4j.torch;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A TorchScript module that is written as text: every ATen operator becomes reachable from Java,
 * with autograd.
 *
 * <p>The text is a list of methods, indented by two spaces, whose first parameter is {@code self}:
 *
 * <pre>
 *   def silu(self, x: Tensor) -> Tensor:
 *     return torch.silu(x)
 * </pre>
 *
 * <p>Parameters are tensors or lists of tensors; results are a tensor, a tuple or a list of
 * tensors. Whether a call records a graph for backward is the thread's {@link GradMode}, never the
 * module's state. The graph executor's optimiser is off during a call: it specialises a method at
 * its second run, so that the first step of a resumed training would round otherwise than the same
 * step of an uninterrupted one.
 *
 * <p>A module may be used from several threads at once.
 */
public final class TextModule implements AutoCloseable {

    /**
     * Other names mean something to DJL: it takes {@code a.b} for an entry of a dictionary, {@code
     * a[]} for one of a list.
     */
    private static final Pattern PLAIN_NAME = Pattern.compile("\\w*");

    private final Model model;
    private final PtSymbolBlock block;
    private final NDManager nameManager;
    private final Map<String, NDArray> methodNames = new ConcurrentHashMap<>();

    private TextModule(Model model) {
        this.model = model;
        this.block = (PtSymbolBlock) model.getBlock();
        this.nameManager = model.getNDManager();
    }

    /**
     * Compiles a module from its text.
     *
     * @param source the methods
     * @return the module; close it, or keep it for the life of the process
     * @throws IllegalArgumentException if libtorch does not accept the text; the message is its own
     */
    public static TextModule compile(String source) {
        Model model = Model.newInstance("text", "PyTorch");
        try {
            model.load(new ByteArrayInputStream(TextArchive.of(source)));
            return new TextModule(model);
        } catch (IOException | MalformedModelException | RuntimeException e) {
            model.close();
            throw new IllegalArgumentException("TorchScript text refused: " + e.getMessage(), e);
        }
    }

    /**
     * Compiles a module from resources beside a class, whose methods may call each other.
     *
     * @param neighbour the class that lies beside the resources
     * @param names the resources' names, such as {@code "decoder.ts"}
     * @return the module
     */
    public static TextModule resource(Class<?> neighbour, String... names) {
        StringBuilder source = new StringBuilder();
        for (String name : names) {
            source.append(read(neighbour, name)).append('\n');
        }
        return compile(source.toString());
    }

    private static String read(Class<?> neighbour, String name) {
        try (InputStream text = neighbour.getResourceAsStream(name)) {
            if (text == null) {
                throw new IllegalArgumentException(
                        "no resource " + name + " beside " + neighbour.getName());
            }
            return new String(text.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the resource " + name, e);
        }
    }

    /**
     * Calls a method without any history, whatever the thread's {@link GradMode}: in libtorch's
     * inference mode. It costs microseconds where the other calls cost a tenth of a millisecond,
     * since arguments are passed as they are. What comes out is for more such calls, see {@link
     * TorchValue#tensor}; tensors from elsewhere may be written into.
     *
     * @param method the method's name; its parameters may be of any type that {@link TorchValue}
     *     has
     * @param arguments the arguments, in order; they stay the caller's
     * @return the result; close it
     */
    public TorchValue infer(String method, TorchValue... arguments) {
        IValue[] values = new IValue[arguments.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = arguments[i].value();
        }
        JniUtils.setGraphExecutorOptimize(false);
        return new TorchValue(IValueUtils.runMethod(block, method, values));
    }

    /**
     * Calls a method that returns one tensor.
     *
     * @param owner the manager that the result will belong to
     * @param method the method's name
     * @param arguments the tensors, in order
     * @return the result
     */
    public NDArray call(NDManager owner, String method, NDArray... arguments) {
        return callList(owner, method, arguments).singletonOrThrow();
    }

    /**
     * Calls a method that returns one or more tensors.
     *
     * @param owner the manager that the results will belong to
     * @param method the method's name
     * @param arguments the tensors, in order
     * @return the results, in order
     */
    public NDList callList(NDManager owner, String method, NDArray... arguments) {
        return run(owner, method, new NDList(), arguments);
    }

    /**
     * Calls a method whose parameters are lists of tensors, followed by tensors.
     *
     * <p>DJL tells lists by the names of their arrays, so the arrays of the lists carry other names
     * during the call: they must not be used from another thread meanwhile.
     *
     * @param owner the manager that the results will belong to
     * @param method the method's name
     * @param lists the list parameters, in order, none of them empty
     * @param arguments the tensor parameters that follow
     * @return the results, in order
     */
    public NDList callLists(
            NDManager owner, String method, List<NDList> lists, NDArray... arguments) {
        NDList inputs = new NDList();
        List<@Nullable String> names = new ArrayList<>();
        int number = 0;
        for (NDList list : lists) {
            for (NDArray array : list) {
                names.add(array.getName());
                array.setName("list" + number + "[]");
                inputs.add(array);
            }
            number++;
        }
        try {
            return run(owner, method, inputs, arguments);
        } finally {
            for (int i = 0; i < inputs.size(); i++) {
                inputs.get(i).setName(names.get(i));
            }
        }
    }

    private NDList run(NDManager owner, String method, NDList lists, NDArray... arguments) {
        NDList inputs = new NDList(lists);
        List<NDArray> aliases = new ArrayList<>(0);
        try {
            for (NDArray argument : arguments) {
                String name = argument.getName();
                if (name != null && !PLAIN_NAME.matcher(name).matches()) {
                    NDArray alias = argument.reshape(argument.getShape());
                    aliases.add(alias);
                    inputs.add(alias);
                } else {
                    inputs.add(argument);
                }
            }
            inputs.add(methodNames.computeIfAbsent(method, this::methodName));
            JniUtils.setGraphExecutorOptimize(false);
            NDList results = IValueUtils.forward(block, inputs, true);
            results.attach(owner);
            return results;
        } finally {
            aliases.forEach(NDArray::close);
        }
    }

    /** DJL takes the method from the name of an array among the inputs. */
    private NDArray methodName(String method) {
        NDArray name = nameManager.zeros(new Shape(1));
        name.setName("module_method:" + method);
        return name;
    }

    /** Frees the module. */
    @Override
    public void close() {
        model.close();
    }
}
