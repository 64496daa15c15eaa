package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A model of named blocks, for tests: {@code add("body.up", Linear…, shape)}, and a forward that
 * calls them by name.
 */
public final class BlockNet extends AbstractBlock {

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def mean(self, x: Tensor) -> Tensor:
                        return torch.mean(x, [1])
                      def remainder(self, x: Tensor) -> Tensor:
                        return torch.remainder(x, 5)
                      def silu(self, x: Tensor) -> Tensor:
                        return torch.silu(x)
                      def rms(self, x: Tensor, w: Tensor) -> Tensor:
                        return torch.mul(torch.mul(x, torch.rsqrt(torch.add(torch.mean(torch.square(x), [-1], True), 1e-6))), w)
                      def rotate(self, x: Tensor) -> Tensor:
                        s = torch.size(x, 2)
                        inverse = torch.reciprocal(torch.pow(10000.0, torch.div(torch.arange(0, 4, 2, dtype=6), 4)))
                        angles = torch.outer(torch.arange(s, dtype=6), inverse)
                        both = torch.cat([angles, angles], -1)
                        half = torch.cat([torch.neg(torch.narrow(x, -1, 2, 2)), torch.narrow(x, -1, 0, 2)], -1)
                        return torch.add(torch.mul(x, torch.cos(both)), torch.mul(half, torch.sin(both)))
                      def heads(self, x: Tensor, n: int) -> Tensor:
                        return torch.transpose(torch.reshape(x, [torch.size(x, 0), torch.size(x, 1), n, 4]), 1, 2)
                      def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
                        q4 = (self).rotate((self).heads(q, 4))
                        k4 = torch.repeat_interleave((self).rotate((self).heads(k, 2)), 2, 1)
                        v4 = torch.repeat_interleave((self).heads(v, 2), 2, 1)
                        s = torch.size(q, 1)
                        mask = torch.triu(torch.full([s, s], -1e30, dtype=6), 1)
                        scores = torch.add(torch.div(torch.matmul(q4, torch.transpose(k4, 2, 3)), 2), mask)
                        y = torch.transpose(torch.matmul(torch.softmax(scores, -1), v4), 1, 2)
                        return torch.reshape(y, [torch.size(q, 0), s, 16])
                    """);

    private final Map<String, Block> named = new LinkedHashMap<>();
    private final Map<String, Shape> inputs = new LinkedHashMap<>();
    private Forward forward = pass -> pass.x();

    /** What a pass over the blocks is written in. */
    public interface Forward {
        NDArray run(Pass pass);
    }

    /** One forward pass. */
    public record Pass(BlockNet net, ParameterStore store, NDArray x, boolean training) {

        public NDArray call(String name, NDArray input) {
            return net.named
                    .get(name)
                    .forward(store, new NDList(input), training)
                    .singletonOrThrow();
        }

        public NDArray kernel(String name, NDArray... arguments) {
            return KERNELS.call(x.getManager(), name, arguments);
        }

        public NDArray rms(String name, NDArray input) {
            Parameter weight = net.named.get(name).getDirectParameters().get("weight");
            return kernel("rms", input, store.getValue(weight, input.getDevice(), training));
        }
    }

    /** Adds a block under a dotted path. */
    public BlockNet add(String path, Block block, long... input) {
        named.put(path, block);
        inputs.put(path, new Shape(input));
        BlockNet parent = this;
        String rest = path;
        for (int dot = rest.indexOf('.'); dot >= 0; dot = rest.indexOf('.')) {
            String child = rest.substring(0, dot);
            parent = parent.child(child);
            rest = rest.substring(dot + 1);
        }
        parent.addChildBlock(rest, block);
        return this;
    }

    private BlockNet child(String name) {
        for (int i = 0; i < children.size(); i++) {
            if (children.keyAt(i).equals(String.format("%02d", i + 1) + name)) {
                return (BlockNet) children.valueAt(i);
            }
        }
        return addChildBlock(name, new BlockNet());
    }

    /** Adds a norm without a mean. */
    public BlockNet addRms(String path, long size) {
        return add(path, new Scale(size), 1, size);
    }

    /** Sets the forward and takes the memory; values are random. */
    public BlockNet build(NDManager manager, Forward run) {
        forward = run;
        named.forEach(
                (path, block) -> block.initialize(manager, DataType.FLOAT32, inputs.get(path)));
        return this;
    }

    public NDArray run(Block root, NDManager scope, NDArray x, boolean training) {
        NDArray input = Tensors.clone(scope, x); // results belong to their input's manager
        return root.forward(new ParameterStore(scope, false), new NDList(input), training)
                .singletonOrThrow();
    }

    /** Gives an adapter other values, so that it has an effect. */
    static void randomise(Adapter adapter) {
        for (Parameter parameter : adapter.parameters().values()) {
            NDArray array = parameter.getArray();
            try (NDArray values = array.getManager().randomNormal(array.getShape())) {
                Tensors.copy(values, array);
            }
        }
    }

    public Parameter parameter(String path) {
        return new BaseModel(this)
                .parameters().stream()
                        .filter(named -> named.path().equals(path))
                        .findFirst()
                        .orElseThrow()
                        .parameter();
    }

    @Override
    public boolean isInitialized() {
        return named.values().stream().allMatch(Block::isInitialized);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList x, boolean training, PairList<String, Object> p) {
        return new NDList(forward.run(new Pass(this, store, x.singletonOrThrow(), training)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
        return shapes;
    }

    private static final class Scale extends AbstractBlock {

        Scale(long size) {
            addParameter(
                    Parameter.builder()
                            .setName("weight")
                            .setType(Parameter.Type.GAMMA)
                            .optShape(new Shape(size))
                            .build());
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList x, boolean training, PairList<String, Object> p) {
            throw new UnsupportedOperationException("called through its parameter");
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return shapes;
        }
    }
}
