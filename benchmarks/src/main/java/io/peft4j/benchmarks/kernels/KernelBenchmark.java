package io.peft4j.benchmarks.kernels;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.peft4j.models.Computation;
import io.peft4j.models.MatrixProduct;
import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A kernel, forward and backward, and the same in plain DJL with autograd, in float32, which is all
 * that plain DJL has. Sizes are those of the 317M model unless a parameter says otherwise.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@SuppressWarnings("NullAway.Init") // JMH calls the setup
public abstract class KernelBenchmark {

    /** The width of the residual stream. */
    static final int HIDDEN = 1280;

    /** The inner width of the feed-forward network. */
    static final int INNER = 3424;

    static final int RANK = 16;
    static final double SCALING = 2;
    static final double EPSILON = 1e-6;

    private NDManager manager;
    private TextModule kernels;
    private final List<TorchValue> values = new ArrayList<>();

    /** Makes what both forms take. */
    @Setup
    public void setUp() {
        manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
        kernels = compile();
        prepare();
    }

    /** Frees all of it. */
    @TearDown
    public void tearDown() {
        values.forEach(TorchValue::close);
        kernels.close();
        manager.close();
    }

    /** Times the kernel. */
    @Benchmark
    public void kernel() {
        try (NDManager scope = manager.newSubManager()) {
            byKernel(scope);
        }
    }

    /** Times plain DJL. */
    @Benchmark
    public void plain() {
        try (NDManager scope = manager.newSubManager()) {
            byPlainDjl(scope);
        }
    }

    /** Runs plain DJL, and frees what it leaves with the managers of its operands. */
    NDArray byPlainDjl(NDManager scope) {
        try (NDScope leftovers = new NDScope();
                GradMode recording = GradMode.enabled()) {
            NDArray result = plainGradient(scope);
            NDScope.unregister(result);
            return result;
        }
    }

    /** Makes the arrays. */
    abstract void prepare();

    /**
     * Runs the kernel.
     *
     * @param scope owns the result
     * @return the gradient by the input
     */
    abstract NDArray byKernel(NDManager scope);

    /**
     * Does the same with DJL's operations and autograd.
     *
     * @param scope owns the result
     * @return the gradient by the input
     */
    abstract NDArray plainGradient(NDManager scope);

    private static TextModule compile() {
        MatrixProduct product = Computation.of(Dtype.F32, Device.cpu()).product();
        String gemm = product == MatrixProduct.ONEDNN ? "gemm_onednn.ts" : "gemm_linear.ts";
        return TextModule.resource(
                KernelBenchmark.class,
                "/io/peft4j/models/" + gemm,
                "/io/peft4j/models/norm.ts",
                "/io/peft4j/models/projection.ts",
                "/io/peft4j/models/prepared.ts",
                "/io/peft4j/models/attention.ts",
                "/io/peft4j/models/feed_forward.ts",
                "/io/peft4j/models/token_scores.ts",
                "/io/peft4j/models/head.ts",
                "/io/peft4j/tuning/optimizer.ts",
                "steps.ts");
    }

    TextModule kernels() {
        return kernels;
    }

    NDManager manager() {
        return manager;
    }

    /** Returns the array that a kernel gives. */
    NDArray infer(NDManager scope, String method, TorchValue... arguments) {
        try (TorchValue result = kernels.infer(method, arguments)) {
            return result.tensor(scope);
        }
    }

    /** Keeps a value until the end. */
    TorchValue keep(TorchValue value) {
        values.add(value);
        return value;
    }

    TorchValue list(NDArray... arrays) {
        return keep(TorchValue.of(List.of(arrays)));
    }

    /** Returns normal numbers of standard deviation 0.05. */
    NDArray random(long... shape) {
        return manager.randomNormal(0, 0.05f, new Shape(shape), DataType.FLOAT32);
    }

    NDArray ones(long... shape) {
        return manager.ones(new Shape(shape));
    }

    /** Returns nothing, as kernels take a bias that is not there. */
    NDArray nothing() {
        return manager.create(new Shape(0));
    }

    /** Returns a number that backward may keep. */
    NDArray number(double value) {
        return Tensors.of(manager, new float[] {(float) value}, new Shape(1));
    }

    /** Has an array hold a gradient, to which kernels add. */
    static NDArray leaf(NDArray array) {
        array.setRequiresGradient(true);
        try (GradMode recording = GradMode.enabled();
                NDArray sum = array.sum()) {
            Gradients.backward(sum);
        }
        Gradients.zero(array);
        return array;
    }

    /** Returns an array's gradient, which becomes zeros. */
    static NDArray takeGradient(NDManager scope, NDArray leaf) {
        try (NDArray gradient = leaf.getGradient()) {
            NDArray copy = Tensors.clone(scope, gradient);
            Gradients.zero(leaf);
            return copy;
        }
    }
}
