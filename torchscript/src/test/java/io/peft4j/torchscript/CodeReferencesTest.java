package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Chains that libtorch would follow by recursion, in whichever order the items stand. */
class CodeReferencesTest {

    private static int deepest(String... recordsAndTexts) {
        Map<String, String> records = new LinkedHashMap<>();
        for (int i = 0; i < recordsAndTexts.length; i += 2) {
            records.put(recordsAndTexts[i], recordsAndTexts[i + 1]);
        }
        return CodeReferences.deepest(records);
    }

    private static String[] classes(int count, boolean backwards) {
        String[] records = new String[2 * count];
        for (int i = 0; i < count; i++) {
            int at = 2 * (backwards ? count - 1 - i : i);
            records[at] = "code/__torch__/m" + i + ".py";
            records[at + 1] =
                    "class C(Module):\n  training : bool\n  c : __torch__.m" + (i + 1) + ".C\n";
        }
        return records;
    }

    @Test
    void classesThatHaveEachOtherAreAChain() {
        assertThat(deepest(classes(300, false))).isEqualTo(300);
        assertThat(deepest(classes(300, true))).isEqualTo(300);
    }

    @Test
    void functionsThatCallEachOtherAreAChain() {
        StringBuilder text = new StringBuilder();
        for (int i = 299; i >= 0; i--) {
            text.append("def f").append(i).append("(x: Tensor) -> Tensor:\n");
            text.append("  return __torch__.m.f").append(i + 1).append("(x)\n");
        }
        assertThat(deepest("code/__torch__/m.py", text.toString())).isEqualTo(300);
    }

    @Test
    void methodsThatCallEachOtherAreAChain() {
        StringBuilder text = new StringBuilder("class Net(Module):\n");
        for (int i = 0; i < 300; i++) {
            text.append("  def f").append(i).append("(self: __torch__.Net) -> int:\n");
            text.append("    return (self).f").append(i + 1).append("()\n");
        }
        assertThat(deepest("code/__torch__.py", text.toString())).isEqualTo(301);
    }

    @Test
    void aCircleCountsAsOneChainWithWhatLeadsToIt() {
        String[] circle = classes(300, false);
        circle[599] = circle[599].replace("m300", "m100");
        assertThat(deepest(circle)).isEqualTo(300);
    }

    @Test
    void manyItemsBesideEachOtherAreNone() {
        StringBuilder net = new StringBuilder("class Net(Module):\n");
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 10_000; i++) {
            net.append("  c").append(i).append(" : __torch__.m.C").append(i).append('\n');
            text.append("class C").append(i).append("(Module):\n  training : bool\n");
        }
        assertThat(
                        deepest(
                                "code/__torch__.py",
                                net.toString(),
                                "code/__torch__/m.py",
                                text.toString()))
                .isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "net", "net_frozen", "forms", "quantised", "encoder/encoder"})
    void noArchiveOfTorchComesNearTheLimit(String name) throws IOException {
        try (TorchScriptArchive archive = TorchScriptArchive.open(PeftGolden.archive(name))) {
            assertThat(CodeReferences.deepest(archive.code().records()))
                    .isBetween(2, CodeReferences.MAX_DEPTH / 4);
        }
    }
}
