package io.peft4j.torchscript;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The text of the methods that an archive's root gets, see {@link Surgery}. */
final class RootMethods {

    private final StringBuilder text;
    private final String className;

    RootMethods(StringBuilder text, String className) {
        this.text = text;
        this.className = className;
    }

    /** A tensor for each weight, in order. */
    void setWeights(List<TorchScriptWeight> weights) {
        begin(Surgery.SET_WEIGHTS, true);
        Places places = new Places();
        for (int i = 0; i < weights.size(); i++) {
            TorchScriptWeight weight = weights.get(i);
            String module = places.of(weight.module());
            line(module + "." + weight.name() + " = peft4j_list[" + i + "]");
        }
        end();
    }

    /** {@link LinearForms#SLOTS} tensors for each layer, in order; none of A means no update. */
    void setUpdates(List<TorchScriptWeight> weights) {
        begin(Surgery.SET_UPDATES, true);
        Places places = new Places();
        line("none = annotate(List[Tensor], [])");
        for (int i = 0; i < weights.size(); i++) {
            int first = i * LinearForms.SLOTS;
            String slot = places.of(weights.get(i).module()) + "." + LinearForms.ATTRIBUTE;
            line("if torch.eq(torch.numel(peft4j_list[" + first + "]), 0):");
            line("  " + slot + " = none");
            line("else:");
            int next = first + LinearForms.SLOTS;
            line("  " + slot + " = torch.slice(peft4j_list, " + first + ", " + next + ")");
        }
        end();
        begin(Surgery.CLEAR_UPDATES, false);
        places = new Places();
        line("none = annotate(List[Tensor], [])");
        for (TorchScriptWeight weight : weights) {
            line(places.of(weight.module()) + "." + LinearForms.ATTRIBUTE + " = none");
        }
        end();
    }

    /** All tensors as a list, and a method that takes those of another copy. */
    void share(List<SharedState.Slot> slots) {
        text.append("  def ").append(Surgery.TENSORS).append("(self: ").append(className);
        text.append(") -> List[Tensor]:\n");
        Places places = new Places();
        StringBuilder all = new StringBuilder();
        for (SharedState.Slot slot : slots) {
            all.append(places.of(slot.module())).append('.').append(slot.name()).append(", ");
        }
        line("return [" + all + "]");
        begin(Surgery.SHARE, true);
        places = new Places();
        for (int i = 0; i < slots.size(); i++) {
            String module = places.of(slots.get(i).module());
            line(module + "." + slots.get(i).name() + " = peft4j_list[" + i + "]");
        }
        end();
    }

    private void begin(String name, boolean list) {
        text.append("  def ").append(name).append("(self: ").append(className);
        text.append(list ? ",\n    peft4j_list: List[Tensor]) -> Tensor:\n" : ") -> Tensor:\n");
    }

    private void end() {
        line("return torch.zeros([1])");
    }

    private void line(String statement) {
        text.append("    ").append(statement).append('\n');
    }

    /** Local names of modules; a name of digits can only be had by {@code getattr}. */
    private final class Places {

        private final Map<String, String> names = new HashMap<>(Map.of("", "self"));

        String of(String path) {
            String known = names.get(path);
            if (known != null) {
                return known;
            }
            int dot = path.lastIndexOf('.');
            String above = of(dot < 0 ? "" : path.substring(0, dot));
            String name = "peft4j_" + names.size();
            line(name + " = getattr(" + above + ", \"" + path.substring(dot + 1) + "\")");
            names.put(path, name);
            return name;
        }
    }
}
