package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Small files that would take much memory or time: repeated names, shared values, long searches.
 * Each is refused, or read within seconds and within the tests' gigabyte of heap.
 */
class HostileSizesTest {

    private static final Duration SOON = Duration.ofSeconds(20);
    private static final String HEAD =
            "  __parameters__ = [\"weight\", ]\n  weight : Tensor\n"
                    + "  def forward(self,\n    x: Tensor) -> Tensor:\n";

    @TempDir Path temporary;
    private final PickleText pickle = new PickleText();

    private static String netCode(String attributes, String forward) {
        return "class Net(Module):\n  __parameters__ = ["
                + attributes
                + "]\n  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n"
                + forward;
    }

    private Path archive(String code, byte[] data) throws IOException {
        RawZip zip = new RawZip();
        zip.add("archive/code/__torch__.py", code.getBytes(), true);
        zip.add("archive/data.pkl", data, true);
        zip.add("archive/constants.pkl", pickle.emptyTuple(), false);
        zip.add("archive/data/0", new byte[4], false);
        return zip.write(temporary.resolve("hostile.pt"));
    }

    private void assertRefused(Path file, String because) {
        assertThatThrownBy(() -> assertTimeoutPreemptively(SOON, () -> open(file)))
                .satisfies(
                        e -> {
                            Throwable cause = e.getCause() == null ? e : e.getCause();
                            assertThat(cause).isInstanceOf(TorchScriptException.class);
                            assertThat(cause.getMessage())
                                    .contains("hostile.pt: ")
                                    .contains(because)
                                    .doesNotContain("\n");
                        });
    }

    private static int open(Path file) throws IOException {
        try (TorchScriptArchive archive = TorchScriptArchive.open(file)) {
            return archive.weights().size();
        }
    }

    /** libtorch would read a storage as often as it is described: gigabytes from a megabyte. */
    @Test
    void aStorageThatIsDescribedTwiceIsRefused() throws IOException {
        byte[] data =
                pickle.of(
                        pickle.module("__torch__.Net"),
                        "a",
                        pickle.tensor("0", 1, 1, 1),
                        "b",
                        pickle.tensor("0", 1, 1, 1));
        assertRefused(archive(netCode("", "    return x\n"), data), "storage 0 twice");
    }

    @Test
    void aStorageThatIsRecalledIsOneOfTwoTensors() throws IOException {
        byte[] data =
                pickle.of(
                        pickle.module("__torch__.Net"),
                        "a",
                        pickle.view(pickle.storage("0", 1) + pickle.memo(7), 1, 1),
                        "b",
                        pickle.view(pickle.recall(7), 1, 1));
        String code = netCode("\"a\", \"b\", ", "    a = self.a\n    b = self.b\n    return x\n");
        try (TorchScriptArchive archive = TorchScriptArchive.open(archive(code, data))) {
            assertThat(archive.weights().get(0).tiedTo()).containsExactly("b");
        }
    }

    /** A path repeats the names above it: a megabyte of name, ten thousand modules below. */
    @Test
    void longPathsAreRefused() throws IOException {
        StringBuilder children = new StringBuilder(pickle.module("__torch__.Net")).append("}(");
        for (int i = 0; i < 10_000; i++) {
            children.append(pickle.text("m" + i)).append(pickle.module("__torch__.Net"));
        }
        byte[] data =
                pickle.of(
                        pickle.module("__torch__.Net"),
                        "n".repeat(1 << 20),
                        children.append("ub").toString());
        assertRefused(
                archive(netCode("", "    return x\n"), data),
                "paths of its modules and tensors have more than");
    }

    /** Each of n names lists the others. */
    @Test
    void aTensorWithThousandsOfNamesIsRefused() throws IOException {
        StringBuilder net = new StringBuilder(pickle.module("__torch__.Net")).append("}(");
        net.append(pickle.text("a")).append(pickle.tensor("0", 1, 1, 1)).append(pickle.memo(1));
        for (int i = 0; i < 50_000; i++) {
            net.append(pickle.text("a" + i)).append(pickle.recall(1));
        }
        byte[] data = pickle.whole(net.append("ub").toString());
        assertRefused(archive(netCode("", "    return x\n"), data), "tensor a has more than 256");
    }

    @Test
    void millionsOfEmptyListsAreRefused() throws IOException {
        byte[] data = pickle.whole("(" + "}".repeat(1_500_000) + "t");
        assertRefused(
                archive(netCode("", "    return x\n"), data),
                "more than 1000000 lists and objects");
    }

    @Test
    void anExpandedWeightIsNotAdapted() throws IOException {
        String storage = pickle.storage("0", 1);
        String wide = pickle.view(storage, 1L << 20, 1L << 20);
        String strides = "(" + pickle.longNumber(1L << 20) + pickle.longNumber(1) + "t\u0089";
        String none = "(" + pickle.longNumber(0) + pickle.longNumber(0) + "t\u0089";
        byte[] data =
                pickle.of(pickle.module("__torch__.Net"), "weight", wide.replace(strides, none));
        String code =
                netCode("\"weight\", ", "    w = self.weight\n    return torch.linear(x, w)\n");
        try (TorchScriptArchive archive = TorchScriptArchive.open(archive(code, data))) {
            assertThat(archive.weights().get(0).obstacle())
                    .isEqualTo("its elements share memory with each other");
        }
    }

    /** A search from the beginning for each class would read megabytes thousands of times. */
    @Test
    void manyClassesInOneRecordAreReadSoon() throws IOException {
        StringBuilder code = new StringBuilder(netCode("", "    return x\n"));
        StringBuilder net = new StringBuilder(pickle.module("__torch__.Net")).append("}(");
        for (int i = 0; i < 20_000; i++) {
            code.append("class C").append(i).append("(Module):\n").append(HEAD);
            code.append("    return torch.linear(x, self.weight)\n");
            String child = pickle.with(pickle.module("__torch__.C" + i), "n", "K\u0001");
            net.append(pickle.text("m" + i)).append(child);
        }
        Path file = archive(code.toString(), pickle.whole(net.append("ub").toString()));
        assertThat(assertTimeoutPreemptively(SOON, () -> open(file))).isZero();
    }

    @Test
    void aRecordOfEmptyLinesIsRefusedWithinTheHeap() throws IOException {
        String code = netCode("", "    return x\n") + "\n".repeat(30 << 20);
        Path file = archive(code, pickle.of(pickle.module("__torch__.Net"), "n", "K\u0001"));
        assertThat(Files.size(file)).isLessThan(1 << 20);
        assertRefused(file, "nests expressions");
    }

    /** Both are what a class of twenty thousand letters can do to a pattern's search. */
    @Test
    void aLinearLayersClassIsSearchedSoon() {
        String head = "class Linear(Module):\n" + HEAD;
        StringBuilder names = new StringBuilder(head);
        for (int i = 0; names.length() < 19_000; i++) {
            names.append("    w").append(i).append(" = self.weight\n");
        }
        ClassText many = text(names.append("    return torch.linear(x, w0)\n").toString());
        ClassText blank = text(head + "\n".repeat(19_000) + "    return torch.linear(x, weight)\n");
        assertTimeoutPreemptively(
                SOON,
                () -> {
                    for (int i = 0; i < 200; i++) {
                        assertThat(LinearForms.rewrite(many)).isNull();
                        assertThat(LinearForms.rewrite(blank)).isNull();
                    }
                });
    }

    /** A recursive pattern would end the stack. */
    @Test
    void longChainsOfAttributesAreReadByALoop() {
        String chain = "self" + ".a".repeat(200_000);
        assertThat(ClassText.chains("getattr(" + chain + ", \"b\")")).isEqualTo(chain + ".b");
    }

    @Test
    void nestedGetattrIsReadUpToTwentyLevels() {
        String nested = "x";
        for (int i = 0; i < 5000; i++) {
            nested = "getattr(" + nested + ", \"a\")";
        }
        String all = nested;
        String chains = assertTimeoutPreemptively(SOON, () -> ClassText.chains(all));
        assertThat(chains).contains("x" + ".a".repeat(20)).doesNotContain(".a".repeat(21));
    }

    private static ClassText text(String text) {
        return new ClassText("code/__torch__.py", 0, text.length(), text);
    }
}
