package io.peft4j.torchscript;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Rewrites the code of a linear layer's class so that it adds a low-rank path to what its weight
 * gives. A layer may be written as {@code torch.linear(x, weight, bias)}, as {@code
 * torch.addmm(bias, x, torch.t(weight))} or as {@code torch.matmul(x, torch.t(weight))}. Each call
 * becomes one of a function with the same arguments and the module's update before them; the
 * expressions around it stay as they are. A class that does anything else with its weight is left
 * alone.
 */
final class LinearForms {

    /** The attribute that holds a layer's update: none of these, or {@link #SLOTS} tensors. */
    static final String ATTRIBUTE = "peft4j_update";

    /** A, B, scaling, gain per output, dropout; an empty tensor for what there is not. */
    static final int SLOTS = 5;

    /** The class of a linear layer is a few lines; what is longer is none. */
    private static final int MAX_TEXT = 20_000;

    /** It has few names for its weight, too; each is searched for. */
    private static final int MAX_NAMES = 20;

    private static final String WEIGHT = "weight";
    private static final Pattern CALL = Pattern.compile("torch\\.(linear|addmm|matmul|mm)\\(");

    private LinearForms() {}

    /** Returns the class with the update's attribute and path, or null if it has another form. */
    static @Nullable String rewrite(ClassText type) {
        if (type.text().length() > MAX_TEXT || type.text().contains(ATTRIBUTE)) {
            return null;
        }
        StringBuilder text = new StringBuilder(type.text());
        List<ClassText.Method> methods = type.methods();
        boolean any = false;
        for (int i = methods.size() - 1; i >= 0; i--) {
            ClassText.Method method = methods.get(i);
            String changed = rewrite(method);
            if (changed == null) {
                return null;
            }
            any |= !changed.equals(method.text());
            text.replace(method.start(), method.start() + method.text().length(), changed);
        }
        if (!any) {
            return null;
        }
        int line = text.indexOf("\n") + 1;
        Matcher lists = Pattern.compile("(?m)^  __(?:parameters|buffers)__ = .*\n").matcher(text);
        while (lists.find()) {
            line = lists.end();
        }
        return text.insert(line, "  " + ATTRIBUTE + " : List[Tensor]\n").toString();
    }

    private static @Nullable String rewrite(ClassText.Method method) {
        String code = method.text();
        String own = method.self() + "." + WEIGHT;
        Set<String> weights = new HashSet<>(Set.of(own));
        weights.addAll(assigned(code, Pattern.quote(own)));
        Set<String> turned = new HashSet<>();
        for (String weight : weights) {
            turned.add("torch.t(" + weight + ")");
            turned.addAll(assigned(code, Pattern.quote("torch.t(" + weight + ")")));
            if (weights.size() + turned.size() > MAX_NAMES) {
                return null;
            }
        }
        TreeMap<Integer, String> heads = new TreeMap<>();
        int used = 0;
        Matcher call = CALL.matcher(code);
        while (call.find()) {
            List<String> arguments = ClassText.arguments(code, call.end());
            if (isLinear(call.group(1), arguments, weights, turned)) {
                heads.put(call.start(), call.group());
                used++;
            }
        }
        if (used != uses(code, weights, turned, own)) {
            return null;
        }
        StringBuilder changed = new StringBuilder(code);
        heads.descendingMap()
                .forEach(
                        (at, head) -> {
                            String function = CALL.matcher(head).replaceFirst("$1");
                            changed.replace(
                                    at,
                                    at + head.length(),
                                    LowRankText.MODULE
                                            + "."
                                            + function
                                            + "("
                                            + method.self()
                                            + "."
                                            + ATTRIBUTE
                                            + ", ");
                        });
        return changed.toString();
    }

    private static Set<String> assigned(String code, String quoted) {
        Set<String> names = new HashSet<>();
        Matcher line = Pattern.compile("(?m)^ *+(\\w++) = " + quoted + "$").matcher(code);
        while (line.find()) {
            names.add(line.group(1));
        }
        return names;
    }

    private static boolean isLinear(
            String function, List<String> arguments, Set<String> weights, Set<String> turned) {
        return switch (function) {
            case "linear" ->
                    (arguments.size() == 2 || arguments.size() == 3)
                            && weights.contains(arguments.get(1));
            case "addmm" -> arguments.size() == 3 && turned.contains(arguments.get(2));
            default -> arguments.size() == 2 && turned.contains(arguments.get(1));
        };
    }

    /** How often the weight is used other than to give it a name. */
    private static int uses(String code, Set<String> weights, Set<String> turned, String own) {
        String left = code;
        Set<String> names = new HashSet<>(weights);
        names.remove(own);
        Set<String> turnedNames = new HashSet<>(turned);
        turnedNames.removeIf(name -> name.startsWith("torch.t("));
        for (String name : names) {
            left = left.replaceAll("(?m)^ *+" + name + " = " + Pattern.quote(own) + "$", "");
        }
        for (String name : turnedNames) {
            left = left.replaceAll("(?m)^ *+" + name + " = torch\\.t\\([\\w.]+\\)$", "");
        }
        names.addAll(turnedNames);
        names.add(Pattern.quote(own));
        int count = 0;
        for (String name : names) {
            Matcher use = Pattern.compile("(?<![\\w.])" + name + "(?!\\w)").matcher(left);
            while (use.find()) {
                count++;
            }
        }
        return count;
    }
}
