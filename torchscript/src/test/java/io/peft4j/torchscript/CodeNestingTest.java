package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each way to make libtorch's parser or compiler call itself without end. */
class CodeNestingTest {

    private static boolean isTooDeep(String statement) {
        return CodeNesting.isTooDeep("def f(x: Tensor):\n  " + statement + "\n");
    }

    static String[] deep() {
        int n = 200;
        String lines = "if x:\n    y = 1\n";
        return new String[] {
            "y = " + "(".repeat(n) + "x" + ")".repeat(n),
            "y = x" + " + x".repeat(n),
            "y = x" + ".a".repeat(n),
            "y = x" + "()".repeat(n),
            "y = x" + "[0]".repeat(n),
            "y = x" + "(a, b=c)".repeat(n),
            "y = x" + " and x".repeat(n),
            "y = x" + " == x".repeat(n),
            "y = x" + " <= x".repeat(n),
            "y = x" + " if x else x".repeat(n),
            "y = " + "not ".repeat(n) + "x",
            "y = " + "- ".repeat(n) + "x",
            "y = x" + "**x".repeat(n),
            "y = " + "lambda x: ".repeat(n) + "x",
            "y = \",\"" + " + \",\"".repeat(n),
            "y = \"\\\"\"" + " + \",\\\\\"".repeat(n),
            "y = '''\n,'''" + " + ','".repeat(n),
            "y = 1.5" + ".a".repeat(n),
            "y = (x\n" + "+ x\n".repeat(n) + ")",
            "y = f(" + "1, g(x + ".repeat(60) + "x" + "))".repeat(60),
            "y += x" + " += x".repeat(n),
            "# type: " + "x.".repeat(n) + "x",
            lines + "  elif x:\n    y = 1\n".repeat(n),
            "if x:\n    return x\n  ".repeat(n) + "return x",
            " ".repeat(2 * n) + "y = x",
            "\n".repeat(n),
            "# a comment\n".repeat(n),
            "\n   #\n".repeat(n),
            "y = x \\\n + x",
            "y = \"",
        };
    }

    @ParameterizedTest
    @MethodSource("deep")
    void whatNestsWithoutEndIsFound(String statement) {
        assertThat(isTooDeep(statement)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "y = [0, 1, 2, 3]",
                "y = torch.add(torch.mul(x, x), (self.a.b).forward(x, ))",
                "y = \"((((((((((((((((((\"",
                "y = x # (((((((((((((((((( it's a comment",
                "y = annotate(Dict[str, List[Tensor]], {\"a\": [x], \"b\": [x]})",
            })
    void whatTorchWritesIsNot(String statement) {
        assertThat(isTooDeep(statement)).isFalse();
    }

    @Test
    void manySmallPartsBesideEachOtherAreNot() {
        assertThat(isTooDeep("y = [" + "-1, x.y.z(a)[0] + 2, ".repeat(10_000) + "]")).isFalse();
        assertThat(isTooDeep("y = x + x\n  ".repeat(10_000))).isFalse();
        assertThat(CodeNesting.isTooDeep("def f(x):\n  return x\n".repeat(10_000))).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "net", "net_frozen", "forms", "quantised", "encoder/encoder"})
    void noArchiveOfTorchComesNearTheLimit(String name) throws IOException {
        try (TorchScriptArchive archive = TorchScriptArchive.open(PeftGolden.archive(name))) {
            for (String text : archive.code().records().values()) {
                assertThat(CodeNesting.deepest(text)).isLessThan(CodeNesting.MAX_DEPTH / 4);
            }
        }
    }
}
