package io.peft4j.adapters;

import static io.peft4j.adapters.KeptBlock.WIDTH;
import static io.peft4j.adapters.KeptBlock.linear;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import java.util.AbstractList;
import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ReferencePlacesTest {

    private static final class Holder {
        private final Object held;

        Holder(Object held) {
            this.held = held;
        }
    }

    private record Layers(Object first, Linear second) {}

    private static class Base extends KeptBlock<String> {
        private final Linear hidden;

        Base(Linear layer) {
            super("", name -> List.of(), layer);
            hidden = layer;
        }
    }

    private static final class Inherits extends Base {
        static Linear last;

        Inherits(Linear layer) {
            super(layer);
        }
    }

    private static final class Special extends Linear {
        Special() {
            super(builder().setUnits(WIDTH));
        }
    }

    private static final class Typed extends KeptBlock<List<Linear>> {
        private final Special special;
        private final Linear[] plain;
        private final Linear[] narrow;

        Typed(Special special, Linear linear) {
            super(List.of(linear), List::copyOf, special, linear);
            this.special = special;
            plain = new Linear[] {linear, special};
            narrow = new Special[] {special};
        }
    }

    /** Ways to keep two layers, a and b, so that each is kept once beside {@code children}. */
    @SuppressWarnings("unchecked")
    static List<KeptBlock<?>> kept() {
        Linear a = linear();
        Linear b = linear();
        List<Object> inItself = new ArrayList<>(List.of(a, b));
        inItself.add(inItself);
        Function<List<Linear>, List<Block>> list = List::copyOf;
        Function<Collection<Linear>, List<Block>> all = List::copyOf;
        Function<Map<String, Linear>, List<Block>> values = map -> List.copyOf(map.values());
        Function<List<List<Linear>>, List<Block>> nested =
                lists -> lists.stream().<Block>flatMap(List::stream).toList();
        return List.of(
                block("List.of", List.of(a, b), list, a, b),
                block("ArrayList", new ArrayList<>(List.of(a, b)), list, a, b),
                block(
                        "CopyOnWriteArrayList",
                        new CopyOnWriteArrayList<>(List.of(a, b)),
                        list,
                        a,
                        b),
                block("Arrays.asList", Arrays.asList(a, b), list, a, b),
                block(
                        "unmodifiable list",
                        Collections.unmodifiableList(withNull(a, b)),
                        kept -> List.of(kept.get(0), kept.get(2)),
                        a,
                        b),
                block(
                        "a list that holds itself",
                        inItself,
                        kept -> List.of((Block) kept.get(0), (Block) kept.get(1)),
                        a,
                        b),
                block("Map.of", Map.of("a", a, "b", b), values, a, b),
                block("LinkedHashMap", byName(a, b), values, a, b),
                block("unmodifiable map", Collections.unmodifiableMap(byName(a, b)), values, a, b),
                block(
                        "unmodifiable sorted map",
                        Collections.unmodifiableSortedMap(new TreeMap<>(byName(a, b))),
                        values,
                        a,
                        b),
                block(
                        "ConcurrentSkipListMap",
                        new ConcurrentSkipListMap<>(byName(a, b)),
                        values,
                        a,
                        b),
                block("keys", new LinkedHashMap<>(byKey(a, b)), k -> List.copyOf(k.keySet()), a, b),
                block(
                        "keys for good",
                        Collections.unmodifiableMap(byKey(a, b)),
                        map -> List.copyOf(map.keySet()),
                        a,
                        b),
                block(
                        "values view",
                        Collections.unmodifiableCollection(byName(a, b).values()),
                        all,
                        a,
                        b),
                block("Set.of", Set.of(a, b), all, a, b),
                block("LinkedHashSet", new LinkedHashSet<>(List.of(b, a)), all, a, b),
                block("ArrayDeque", new ArrayDeque<>(List.of(b, a)), all, a, b),
                block("array", new Linear[] {a, null, b}, kept -> List.of(kept[0], kept[2]), a, b),
                block(
                        "array of arrays",
                        new Linear[][] {{a}, {b}},
                        kept -> List.of(kept[0][0], kept[1][0]),
                        a,
                        b),
                block(
                        "array of lists",
                        new List<?>[] {List.of(a), new ArrayList<>(List.of(b))},
                        kept -> List.of((Block) kept[0].get(0), (Block) kept[1].get(0)),
                        a,
                        b),
                block("list of lists", List.of(List.of(a), List.of(b)), nested, a, b),
                block(
                        "mutable list of lists",
                        new ArrayList<>(List.of(List.of(a, b))),
                        nested,
                        a,
                        b),
                block(
                        "list of mutable lists",
                        List.of(new ArrayList<>(List.of(a, b))),
                        lists -> List.copyOf(lists.get(0)),
                        a,
                        b),
                block(
                        "lists at two depths",
                        List.of(a, List.of(List.of(b))),
                        kept ->
                                List.of(
                                        (Block) kept.get(0),
                                        ((List<List<Block>>) kept.get(1)).get(0).get(0)),
                        a,
                        b),
                block(
                        "map of lists",
                        Map.of("x", List.of(a, b)),
                        map -> List.copyOf(map.get("x")),
                        a,
                        b),
                block(
                        "pairs",
                        List.of(new Pair<>("a", a), new Pair<>("b", b)),
                        pairs -> pairs.stream().<Block>map(Pair::getValue).toList(),
                        a,
                        b),
                block(
                        "entries",
                        List.of(Map.entry("a", a), new SimpleEntry<>("b", b)),
                        pairs -> pairs.stream().<Block>map(Map.Entry::getValue).toList(),
                        a,
                        b),
                block(
                        "Optional",
                        Optional.of(List.of(a, b)),
                        kept -> List.copyOf(kept.get()),
                        a,
                        b),
                block(
                        "AtomicReference",
                        new AtomicReference<>(List.of(a, b)),
                        kept -> List.copyOf(kept.get()),
                        a,
                        b),
                block(
                        "holder",
                        new Holder(List.of(a, b)),
                        holder -> List.copyOf((List<Block>) holder.held),
                        a,
                        b),
                block(
                        "holder in a holder",
                        new Holder(List.of(new Holder(a), new Holder(b))),
                        holder ->
                                ((List<Holder>) holder.held)
                                        .stream().map(inner -> (Block) inner.held).toList(),
                        a,
                        b),
                block(
                        "mutable list in a record",
                        new Layers(new ArrayList<>(List.of(a, b)), null),
                        record -> List.copyOf((List<Block>) record.first),
                        a,
                        b),
                block("a list class of the user's", new Wrapping(new Linear[] {a, b}), all, a, b));
    }

    @ParameterizedTest
    @MethodSource("kept")
    void aLayerIsReplacedWhereverItIsKept(KeptBlock<?> tree) throws Exception {
        TreeSnapshot before = TreeSnapshot.of(tree);
        List<Block> old = tree.steps();
        Map<Linear, CountingLinear> layers = CountingLinear.forEvery(tree);

        BlockReferences references = BlockReferences.replace(tree, layers);

        assertThat(references.unreached()).isEmpty();
        assertThat(old).hasSize(2).allSatisfy(b -> assertThat(references.replaced(b)).isEqualTo(2));
        assertThat(tree.steps())
                .containsExactlyElementsOf(old.stream().map(b -> (Block) layers.get(b)).toList());

        references.undo();
        before.assertUnchanged();

        BlockReferences.replace(tree, layers);
        run(tree);
        assertThat(layers.values()).allSatisfy(b -> assertThat(b.calls()).isEqualTo(1));
    }

    @Test
    void aPrivateFinalFieldOfASuperclassIsReplaced() {
        Linear old = linear();
        Base tree = new Inherits(old);
        CountingLinear layer = CountingLinear.like(old);
        BlockReferences references = BlockReferences.replace(tree, Map.of(old, layer));
        assertThat(tree.hidden).isSameAs(layer);
        references.undo();
        assertThat(tree.hidden).isSameAs(old);
    }

    @Test
    void theViewOfAListThatChangedStaysAView() {
        Linear old = linear();
        List<Linear> layers = new ArrayList<>(List.of(old));
        List<Linear> view = Collections.unmodifiableList(layers);
        KeptBlock<List<?>> tree = block("view", List.of(view, layers), l -> List.of(), old);

        BlockReferences references =
                BlockReferences.replace(tree, Map.of(old, CountingLinear.like(old)));

        assertThat(tree.kept().get(0)).isSameAs(view);
        assertThat(references.replaced(old)).isEqualTo(2);
    }

    @Test
    void anImmutableListOfTwoOwnersIsCopiedOnce() {
        Linear old = linear();
        List<Linear> shared = List.of(old);
        Holder left = new Holder(shared);
        Holder right = new Holder(shared);
        KeptBlock<?> tree = block("two", List.of(left, right), l -> List.of(), old);

        BlockReferences references =
                BlockReferences.replace(tree, Map.of(old, CountingLinear.like(old)));

        assertThat(left.held).isNotSameAs(shared).isSameAs(right.held);
        assertThatThrownBy(((List<?>) left.held)::clear)
                .isInstanceOf(UnsupportedOperationException.class);
        references.undo();
        assertThat(left.held).isSameAs(shared).isSameAs(right.held);
    }

    @Test
    void aMapStaysWholeWhenOnlyItsViewsAreKept() {
        Linear old = linear();
        Map<Linear, Linear> map = byKey(old, linear());
        KeptBlock<?> tree =
                block("views", List.of(map.keySet(), map.values()), l -> List.of(), old);
        BlockReferences.replace(tree, Map.of(old, CountingLinear.like(old)));
        assertThat(map).hasSize(2).containsKey(old);
    }

    @Test
    void blocksThatReferToEachOtherAreSearchedOnce() {
        Linear old = linear();
        List<Object> links = new ArrayList<>();
        SequentialBlock inner = new SequentialBlock().add(block("back", links, l -> List.of()));
        KeptBlock<?> tree = block("cycle", links, l -> List.of(), old, inner);
        links.add(tree);
        BlockReferences references =
                BlockReferences.replace(tree, Map.of(old, CountingLinear.like(old)));
        assertThat(references.replaced(old)).isEqualTo(1);
    }

    @Test
    void aLayerCapturedByALambdaIsReported() {
        Linear old = linear();
        BiFunction<ParameterStore, NDList, NDList> call = (store, x) -> old.forward(store, x, true);
        Special mine = new Special();
        Block tree =
                new SequentialBlock()
                        .add(block("lambda", call, c -> List.of(), old))
                        .add(LambdaBlock.singleton(x -> mine.isInitialized() ? x : x.neg()));
        Map<Linear, Linear> layers = Map.of(old, CountingLinear.like(old), mine, linear());

        BlockReferences references = BlockReferences.replace(tree, layers);

        assertThat(references.replaced(old)).isEqualTo(1);
        assertThat(references.replaced(mine)).isZero();
        assertThat(references.unreached())
                .extracting(BlockReferences.Unreached::block)
                .containsExactlyInAnyOrder(old, mine);
        assertThat(references.unreached())
                .allSatisfy(left -> assertThat(left.reason()).contains("a lambda has captured"));
    }

    @Test
    void whatARecordOrAStaticFieldHoldsIsReported() {
        Linear first = linear();
        Linear second = linear();
        Layers layers = new Layers(List.of(first), second);
        Linear third = linear();
        Inherits.last = third;
        Block tree =
                new SequentialBlock()
                        .add(block("record", layers, r -> List.of(), first, second))
                        .add(new Inherits(third));
        try {
            BlockReferences references =
                    BlockReferences.replace(tree, CountingLinear.forEvery(tree));
            assertThat(references.unreached())
                    .extracting(BlockReferences.Unreached::block, BlockReferences.Unreached::reason)
                    .containsExactlyInAnyOrder(
                            tuple(first, "a record cannot change"),
                            tuple(second, "a record cannot change"),
                            tuple(third, "a static field is shared beyond the block tree"));
            assertThat(layers.second()).isSameAs(second);
            assertThat(Inherits.last).isSameAs(third);
            assertThat(references.replaced(first)).isEqualTo(1);
            assertThat(references.replaced(third)).isEqualTo(2);
        } finally {
            Inherits.last = null;
        }
    }

    @Test
    void aFieldOfANarrowerTypeIsReportedAndTheRestReplaced() throws Exception {
        Special special = new Special();
        Linear linear = linear();
        Typed tree = new Typed(special, linear);
        TreeSnapshot before = TreeSnapshot.of(tree);
        CountingLinear layer = CountingLinear.like(special);

        BlockReferences references =
                BlockReferences.replace(
                        tree, Map.of(special, layer, linear, CountingLinear.like(linear)));

        assertThat(tree.special).isSameAs(special);
        assertThat(tree.plain[1]).isSameAs(layer);
        assertThat(tree.narrow[0]).isSameAs(special);
        assertThat(references.replaced(special)).isEqualTo(2);
        assertThat(references.replaced(linear)).isEqualTo(3);
        assertThat(references.unreached())
                .extracting(BlockReferences.Unreached::place, BlockReferences.Unreached::reason)
                .containsExactlyInAnyOrder(
                        tuple(
                                Typed.class.getName() + ".special",
                                "a field of type "
                                        + Special.class.getName()
                                        + " cannot hold a "
                                        + CountingLinear.class.getName()),
                        tuple(
                                "an element of " + Special[].class.getName(),
                                "an array of type "
                                        + Special.class.getName()
                                        + " cannot hold a "
                                        + CountingLinear.class.getName()));
        references.undo();
        before.assertUnchanged();
    }

    @Test
    void aCheckedCollectionThatRefusesTheNewClassIsReported() throws Exception {
        Special a = new Special();
        List<Special> checked = Collections.checkedList(new ArrayList<>(List.of(a)), Special.class);
        KeptBlock<?> tree = block("checked", checked, l -> List.of(), a);
        TreeSnapshot before = TreeSnapshot.of(tree);

        BlockReferences references = BlockReferences.replace(tree, Map.of(a, linear()));

        assertThat(checked).containsExactly(a);
        assertThat(references.unreached()).singleElement().extracting("block").isSameAs(a);
        references.undo();
        before.assertUnchanged();
    }

    @Test
    void aListClassOfTheUsersThatRefusesIsReported() {
        Linear old = linear();
        Supplied list = new Supplied(() -> old, UnsupportedOperationException::new);
        KeptBlock<?> tree = block("supplied", list, l -> List.of(), old);
        BlockReferences references =
                BlockReferences.replace(tree, Map.of(old, CountingLinear.like(old)));
        assertThat(tree.kept()).isSameAs(list);
        assertThat(references.unreached())
                .extracting(BlockReferences.Unreached::reason)
                .contains(Supplied.class.getName() + " refuses to be changed");
    }

    @Test
    void anExceptionInTheMiddleLeavesEverythingAsItWas() throws Exception {
        Linear old = linear();
        Supplied broken = new Supplied(() -> old, () -> new IllegalStateException("disk full"));
        Block tree =
                new SequentialBlock()
                        .add(block("before", List.of(old), l -> List.of(), old))
                        .add(block("broken", broken, l -> List.of(), old))
                        .add(block("after", new Linear[] {old}, l -> List.of(), old));
        TreeSnapshot before = TreeSnapshot.of(tree);

        assertThatThrownBy(
                        () -> BlockReferences.replace(tree, Map.of(old, CountingLinear.like(old))))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("disk full");

        before.assertUnchanged();
    }

    @Test
    void holdersFarFromAnyBlockAreLeftAlone() {
        Linear old = linear();
        Holder last = new Holder(old);
        Object chain = last;
        for (int i = 0; i < 20; i++) {
            chain = new Holder(chain);
        }
        KeptBlock<?> tree = block("far", chain, l -> List.of(), old);
        BlockReferences.replace(tree, Map.of(old, CountingLinear.like(old)));
        assertThat(last.held).isSameAs(old);
    }

    /** A list over an array. */
    private static final class Wrapping extends AbstractList<Linear> {
        private final Linear[] layers;

        Wrapping(Linear[] layers) {
            this.layers = layers;
        }

        @Override
        public Linear get(int index) {
            return layers[index];
        }

        @Override
        public int size() {
            return layers.length;
        }
    }

    /** A list of one layer that it gets from elsewhere; changing it fails. */
    private static final class Supplied extends AbstractList<Linear> {
        private final Supplier<Linear> layer;
        private final Supplier<RuntimeException> failure;

        Supplied(Supplier<Linear> layer, Supplier<RuntimeException> failure) {
            this.layer = layer;
            this.failure = failure;
        }

        @Override
        public Linear get(int index) {
            return layer.get();
        }

        @Override
        public Linear set(int index, Linear element) {
            throw failure.get();
        }

        @Override
        public int size() {
            return 1;
        }
    }

    private static Map<String, Linear> byName(Linear a, Linear b) {
        Map<String, Linear> map = new LinkedHashMap<>();
        map.put("z", a);
        map.put("a", b);
        return map;
    }

    private static Map<Linear, Linear> byKey(Linear a, Linear b) {
        Map<Linear, Linear> map = new LinkedHashMap<>();
        map.put(a, null);
        map.put(b, null);
        return map;
    }

    private static List<Linear> withNull(Linear a, Linear b) {
        return new ArrayList<>(Arrays.asList(a, null, b));
    }

    private static <T> KeptBlock<T> block(
            String name, T kept, Function<T, List<Block>> steps, Block... children) {
        return new KeptBlock<>(kept, steps, children) {
            @Override
            public String toString() {
                return name;
            }
        };
    }

    private static void run(Block tree) {
        try (NDManager manager = NDManager.newBaseManager()) {
            tree.initialize(manager, DataType.FLOAT32, new Shape(1, WIDTH));
            NDList row = new NDList(manager.ones(new Shape(1, WIDTH)));
            tree.forward(new ParameterStore(manager, false), row, false);
        }
    }
}
