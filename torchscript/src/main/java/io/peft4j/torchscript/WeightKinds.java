package io.peft4j.torchscript;

import io.peft4j.adapters.Site;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What a module's weight is used for, by the module's class and code. */
final class WeightKinds {

    private static final Pattern GROUPS = Pattern.compile("(?m)^  groups : Final\\[int] = (\\d+)$");
    private static final Pattern CONVOLUTION =
            Pattern.compile("torch\\.(_convolution|conv\\dd)\\(");

    private WeightKinds() {}

    /** Null for what no adapter method fits. */
    static Site.@Nullable Kind of(ClassText type, String className, String name, int axes) {
        boolean weight = name.equals("weight");
        return switch (className) {
            case "Linear", "NonDynamicallyQuantizableLinear", "Conv1D" ->
                    weight && axes == 2 ? Site.Kind.LINEAR : null;
            case "Embedding" -> weight && axes == 2 ? Site.Kind.EMBEDDING : null;
            case "Conv1d", "Conv2d", "Conv3d" ->
                    weight && axes > 2 ? convolution(type.text()) : null;
            default -> axes == 2 && !name.contains("bias") ? Site.Kind.MATRIX : null;
        };
    }

    /** {@code Conv1D} of transformers is a linear layer whose weight is (in, out). */
    static boolean isTransposed(String className) {
        return className.equals("Embedding") || className.equals("Conv1D");
    }

    private static Site.@Nullable Kind convolution(String code) {
        Matcher constant = GROUPS.matcher(code);
        String groups = constant.find() ? constant.group(1) : null;
        Matcher call = CONVOLUTION.matcher(code);
        if (groups == null && call.find()) {
            List<String> arguments = ClassText.arguments(code, call.end());
            int at = call.group(1).equals("_convolution") ? 8 : 6;
            groups = at < arguments.size() ? arguments.get(at) : at == 6 ? "1" : null;
        }
        if (groups == null || !groups.matches("\\d+")) {
            return null;
        }
        return groups.equals("1") ? Site.Kind.CONV : Site.Kind.GROUPED_CONV;
    }
}
