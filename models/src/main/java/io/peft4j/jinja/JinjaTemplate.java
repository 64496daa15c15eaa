package io.peft4j.jinja;

import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A Jinja2 template, rendered as transformers renders chat templates. It may be used by several
 * threads at once.
 */
public final class JinjaTemplate {

    private static final long LONGEST_RANGE = 100_000; // as Jinja2's sandbox has it

    private final Statement body;
    private final boolean marksGeneration;

    private JinjaTemplate(Parser.Parsed parsed) {
        body = parsed.body();
        marksGeneration = parsed.marksGeneration();
    }

    /**
     * Reads a template.
     *
     * @param source the text
     * @return the template
     * @throws JinjaException if it is not well-formed, or uses a tag, filter or test that there is
     *     not
     */
    public static JinjaTemplate parse(String source) {
        try {
            return new JinjaTemplate(Parser.parse(source));
        } catch (StackOverflowError e) {
            throw new JinjaException("the template is nested too deeply");
        }
    }

    /**
     * Tells whether the template says which text is the assistant's.
     *
     * @return whether there is a {@code {% generation %}} block
     */
    public boolean marksGeneration() {
        return marksGeneration;
    }

    /**
     * Renders the template.
     *
     * @param variables texts, numbers, truth values, lists and maps of these by name; null is None
     * @return the text
     * @throws JinjaException if the template refuses the variables or does what Python would refuse
     */
    public Rendering render(Map<String, ?> variables) {
        return render(variables, () -> LocalDateTime.now(ZoneId.systemDefault()));
    }

    Rendering render(Map<String, ?> variables, Supplier<LocalDateTime> now) {
        Scope globals = new Scope(null);
        addFunctions(globals, now);
        Scope scope = new Scope(globals);
        variables.forEach((name, value) -> scope.set(name, Values.of(value)));
        Output output = new Output();
        try {
            body.run(scope, output);
        } catch (StackOverflowError e) {
            throw new JinjaException("the template calls itself too deeply");
        }
        return output.rendering();
    }

    private static void addFunctions(Scope globals, Supplier<LocalDateTime> now) {
        globals.set(
                "raise_exception",
                (Function)
                        arguments -> {
                            Object message = arguments.bind("raise_exception", 1, "m").get(0);
                            throw new JinjaException(Values.text(message));
                        });
        globals.set(
                "strftime_now",
                (Function)
                        arguments ->
                                Strftime.format(
                                        arguments.bind("strftime_now", 1, "format").text(0),
                                        now.get()));
        globals.set("namespace", (Function) Namespace::of);
        globals.set("range", (Function) JinjaTemplate::range);
        globals.set(
                "dict",
                (Function)
                        arguments -> {
                            arguments.bind(
                                    "dict", 0, arguments.named().keySet().toArray(String[]::new));
                            return new LinkedHashMap<Object, Object>(arguments.named());
                        });
    }

    private static Object range(Arguments arguments) {
        List<Object> given = arguments.positional();
        arguments.bind("range", 1, "start", "stop", "step");
        long start = given.size() > 1 ? Values.integer(given.get(0)) : 0;
        long stop = Values.integer(given.get(given.size() > 1 ? 1 : 0));
        long step = given.size() > 2 ? Values.integer(given.get(2)) : 1;
        if (step == 0) {
            throw new JinjaException("range() arg 3 must not be zero");
        }
        List<Object> numbers = new ArrayList<>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            if (numbers.size() >= LONGEST_RANGE) {
                throw new JinjaException("range() of more than " + LONGEST_RANGE + " numbers");
            }
            numbers.add(i);
        }
        return numbers;
    }
}
