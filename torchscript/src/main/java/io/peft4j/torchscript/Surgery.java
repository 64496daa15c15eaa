package io.peft4j.torchscript;

import io.peft4j.adapters.Site;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Writes an archive that adapters can reach, with the same weights and, until something is set, the
 * same results. Added are
 *
 * <ul>
 *   <li>to the root, a method that puts tensors in the places of weights, methods that give linear
 *       layers their updates and take them away, and methods by which copies share their tensors,
 *   <li>to each linear layer that can be computed with an update (see {@link LinearForms}), an
 *       attribute that holds it, in the code of its class and in the pickled object.
 * </ul>
 */
final class Surgery {

    static final String SET_WEIGHTS = "peft4j_set_weights";
    static final String SET_UPDATES = "peft4j_set_updates";
    static final String CLEAR_UPDATES = "peft4j_clear_updates";
    static final String TENSORS = "peft4j_tensors";
    static final String SHARE = "peft4j_share";

    /** {@code ('torch.jit._pickle', 'build_tensorlist')([])}: the only empty list with a type. */
    private static final String NO_TENSORS = "ctorch.jit._pickle\nbuild_tensorlist\n(](etR";

    private final TorchScriptArchive archive;
    private final List<TorchScriptWeight> weights = new ArrayList<>();
    private final List<TorchScriptWeight> updated = new ArrayList<>();
    private final Map<String, Map<Integer, ClassEdit>> edits = new HashMap<>();

    private boolean copies;

    private record ClassEdit(int end, String text) {}

    private Surgery(TorchScriptArchive archive) {
        this.archive = archive;
    }

    /** Plans what can be reached, and how. */
    static Surgery plan(TorchScriptArchive archive) throws TorchScriptException {
        if (archive.zip().has(LowRankText.RECORD)) {
            throw archive.refused(
                    "it is a copy that was made for adapters and saved by libtorch; load the"
                            + " original, or what writeArchive wrote");
        }
        Surgery surgery = new Surgery(archive);
        Set<String> rewritten = new TreeSet<>();
        Set<String> refused = new TreeSet<>();
        for (TorchScriptWeight weight : archive.weights()) {
            if (weight.obstacle() == null) {
                surgery.weights.add(weight);
                if (surgery.takesUpdate(weight, rewritten, refused)) {
                    surgery.updated.add(weight);
                }
            }
        }
        surgery.editRoot();
        return surgery;
    }

    /** The weights that {@link #SET_WEIGHTS} takes, in its order. */
    List<TorchScriptWeight> weights() {
        return weights;
    }

    /** The weights whose layers take updates, in the order of {@link #SET_UPDATES}. */
    List<TorchScriptWeight> updated() {
        return updated;
    }

    /** Whether several copies can be one model, by {@link #TENSORS} and {@link #SHARE}. */
    boolean allowsCopies() {
        return copies;
    }

    private boolean takesUpdate(
            TorchScriptWeight weight, Set<String> rewritten, Set<String> refused)
            throws TorchScriptException {
        boolean linear = weight.kind() == Site.Kind.LINEAR && !weight.transposed();
        PickledObject module = archive.modules().get(weight.module());
        if (!linear || module == null || module == archive.root() || module.insertAt() < 0) {
            return false;
        }
        if (!archive.reads().readersOf(module, weight.name()).equals(Set.of(module))) {
            return false; // another module multiplies with it as well
        }
        String className = module.className();
        if (!rewritten.contains(className) && !refused.contains(className)) {
            ClassText type = archive.classOf(module);
            String text = LinearForms.rewrite(type);
            boolean everywhere =
                    archive.modules().values().stream()
                            .filter(other -> other.className().equals(className))
                            .allMatch(other -> other.insertAt() >= 0);
            if (text == null || !everywhere) {
                refused.add(className);
            } else {
                rewritten.add(className);
                edit(type, text);
            }
        }
        return rewritten.contains(className);
    }

    private void edit(ClassText type, String text) {
        edits.computeIfAbsent(type.record(), record -> new TreeMap<>())
                .put(type.start(), new ClassEdit(type.end(), text));
    }

    private void editRoot() throws TorchScriptException {
        ClassText type = archive.classOf(archive.root());
        String name = archive.root().className();
        StringBuilder text = new StringBuilder(type.text().stripTrailing()).append('\n');
        RootMethods methods = new RootMethods(text, name);
        methods.setWeights(weights);
        methods.setUpdates(updated);
        List<SharedState.Slot> shared = SharedState.of(archive);
        if (shared != null) {
            methods.share(shared);
        }
        copies = shared != null;
        edit(type, text.toString());
    }

    void write(OutputStream target) throws IOException {
        ZipRecords zip = archive.zip();
        try (RecordWriter writer =
                new RecordWriter(zip.folder(), new BufferedOutputStream(target, 1 << 16))) {
            for (ZipDirectory.Entry entry : zip.entries().values()) {
                String name = entry.name().substring(zip.folder().length() + 1);
                if (name.equals("data.pkl")) {
                    writer.put(name, pickle());
                } else if (edits.containsKey(name)) {
                    writer.put(name, edited(name).getBytes(StandardCharsets.UTF_8));
                } else if (!name.endsWith(".debug_pkl")) { // it speaks of lines that have moved
                    writer.put(name, entry.size(), entry.crc(), out -> zip.copy(entry, out));
                }
            }
            writer.put(LowRankText.RECORD, LowRankText.FUNCTIONS.getBytes(StandardCharsets.UTF_8));
        }
    }

    private String edited(String record) {
        StringBuilder text = new StringBuilder(archive.code().records().getOrDefault(record, ""));
        Map<Integer, ClassEdit> own = edits.getOrDefault(record, Map.of());
        new TreeMap<>(own)
                .descendingMap()
                .forEach((start, edit) -> text.replace(start, edit.end(), edit.text()));
        return text.toString();
    }

    private byte[] pickle() {
        Set<String> classes = new LinkedHashSet<>();
        for (TorchScriptWeight weight : updated) {
            classes.add(moduleOf(weight).className());
        }
        Set<Integer> places = new TreeSet<>();
        for (PickledObject module : archive.modules().values()) {
            if (classes.contains(module.className())) {
                places.add(module.insertAt());
            }
        }
        byte[] key = LinearForms.ATTRIBUTE.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream item = new ByteArrayOutputStream();
        item.write('X');
        item.writeBytes(
                ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(key.length).array());
        item.writeBytes(key);
        item.writeBytes(NO_TENSORS.getBytes(StandardCharsets.US_ASCII));
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        byte[] pickle = archive.pickle();
        int done = 0;
        for (int place : places) {
            whole.write(pickle, done, place - done);
            whole.writeBytes(item.toByteArray());
            done = place;
        }
        whole.write(pickle, done, pickle.length - done);
        return whole.toByteArray();
    }

    private PickledObject moduleOf(TorchScriptWeight weight) {
        return Objects.requireNonNull(archive.modules().get(weight.module()));
    }
}
