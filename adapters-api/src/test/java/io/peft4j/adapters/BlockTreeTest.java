package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BlockTreeTest {

    /** Children with names of their own, which DJL's ready-made containers do not allow. */
    private static final class Named extends ai.djl.nn.AbstractBlock {

        Named(String... names) {
            for (String name : names) {
                addChildBlock(name, new LambdaBlock(x -> x));
            }
        }

        @Override
        protected ai.djl.ndarray.NDList forwardInternal(
                ai.djl.training.ParameterStore store,
                ai.djl.ndarray.NDList inputs,
                boolean training,
                ai.djl.util.PairList<String, Object> params) {
            return inputs;
        }

        @Override
        public ai.djl.ndarray.types.Shape[] getOutputShapes(ai.djl.ndarray.types.Shape[] shapes) {
            return shapes;
        }
    }

    @Test
    void runningNumbersAreTakenOffAlsoBeyondNinetyNineChildren() {
        String[] layers = IntStream.range(0, 130).mapToObj(String::valueOf).toArray(String[]::new);
        List<String> paths = new ArrayList<>(BlockTree.paths(new Named(layers)).keySet());
        assertThat(paths.subList(1, paths.size())).containsExactly(layers);
    }

    @Test
    void namesThatBeginWithDigitsKeepThem() {
        assertThat(BlockTree.paths(new Named("01", "2x", "norm")).keySet())
                .containsExactly("", "01", "2x", "norm");
    }

    @Test
    void siblingsOfOneNameKeepTheirNumbers() {
        Block first = Linear.builder().setUnits(2).build();
        Block second = Linear.builder().setUnits(3).build();
        SequentialBlock root =
                new SequentialBlock()
                        .add(first)
                        .add(new ParallelBlock(lists -> lists.get(0)))
                        .add(second);
        assertThat(BlockTree.paths(root))
                .containsEntry("01Linear", first)
                .containsEntry("03Linear", second)
                .containsKey("ParallelBlock");
    }
}
