package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Something that writes, or changes variables. */
interface Statement {

    /** How a loop goes on. */
    enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    Flow run(Scope scope, Output output);

    record Text(String text) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            output.append(text);
            return Flow.NEXT;
        }
    }

    /** A statement that has a line to blame. */
    record At(int line, Statement statement) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            try {
                return statement.run(scope, output);
            } catch (JinjaException e) {
                throw e.at(line);
            }
        }
    }

    record Print(Expression expression) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            output.append(Values.text(expression.value(scope)));
            return Flow.NEXT;
        }
    }

    record Block(List<Statement> statements) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            for (Statement statement : statements) {
                Flow flow = statement.run(scope, output);
                if (flow != Flow.NEXT) {
                    return flow;
                }
            }
            return Flow.NEXT;
        }
    }

    record If(Expression condition, Statement then, @Nullable Statement otherwise)
            implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            if (Values.isTrue(condition.value(scope))) {
                return then.run(scope, output);
            }
            return otherwise == null ? Flow.NEXT : otherwise.run(scope, output);
        }
    }

    record Jump(Flow flow) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            return flow;
        }
    }

    /** Where a value goes: a name, {@code namespace.attribute}, or several names. */
    record Target(List<String> names, @Nullable String attribute) {

        void set(Scope scope, Object value) {
            if (attribute != null) {
                if (!(scope.get(names.get(0)) instanceof Namespace namespace)) {
                    throw new JinjaException("cannot assign attribute on non-namespace object");
                }
                namespace.attributes().put(attribute, value);
            } else if (names.size() == 1) {
                scope.set(names.get(0), value);
            } else {
                List<Object> values = Values.elements(value);
                if (values.size() != names.size()) {
                    throw new JinjaException(
                            "expected " + names.size() + " values, found " + values.size());
                }
                for (int i = 0; i < values.size(); i++) {
                    scope.set(names.get(i), values.get(i));
                }
            }
        }
    }

    record Set(Target target, Expression expression) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            target.set(scope, expression.value(scope));
            return Flow.NEXT;
        }
    }

    /** {@code {% set x %}…{% endset %}}; the filters read the text as the variable {@code ""}. */
    record SetText(Target target, Statement body, Expression filtered) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            Scope inner = new Scope(scope);
            Output text = output.inner();
            body.run(inner, text);
            inner.set("", text.text());
            target.set(scope, filtered.value(inner));
            return Flow.NEXT;
        }
    }

    record For(
            Target target,
            Expression over,
            @Nullable Expression condition,
            Statement body,
            @Nullable Statement otherwise)
            implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            List<Object> elements = new ArrayList<>();
            for (Object element : Values.elements(over.value(scope))) {
                if (isWanted(scope, element)) {
                    elements.add(element);
                }
            }
            for (int i = 0; i < elements.size(); i++) {
                Scope turn = new Scope(scope);
                turn.set("loop", new Loop(elements, i));
                target.set(turn, elements.get(i));
                if (body.run(turn, output) == Flow.BREAK) {
                    return Flow.NEXT;
                }
            }
            return elements.isEmpty() && otherwise != null
                    ? otherwise.run(new Scope(scope), output)
                    : Flow.NEXT;
        }

        private boolean isWanted(Scope scope, Object element) {
            if (condition == null) {
                return true;
            }
            Scope turn = new Scope(scope);
            target.set(turn, element);
            return Values.isTrue(condition.value(turn));
        }
    }

    /** A macro; the last parameters may have defaults. */
    record Macro(
            String name, List<String> parameters, Map<String, Expression> defaults, Statement body)
            implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            scope.set(name, (Function) arguments -> call(scope, output, arguments));
            return Flow.NEXT;
        }

        private Object call(Scope definition, Output output, Arguments arguments) {
            Arguments.Bound bound = arguments.bind(name, 0, parameters.toArray(String[]::new));
            Scope scope = new Scope(definition);
            for (int i = 0; i < parameters.size(); i++) {
                String parameter = parameters.get(i);
                Expression orElse = defaults.get(parameter);
                scope.set(
                        parameter,
                        bound.get(
                                i,
                                orElse == null
                                        ? new Undefined(
                                                "parameter '" + parameter + "' was not provided")
                                        : orElse.value(scope)));
            }
            Output text = output.inner();
            body.run(scope, text);
            return text.text();
        }
    }

    /** What the assistant said; its place in the text is noted. */
    record Generation(Statement body) implements Statement {
        @Override
        public Flow run(Scope scope, Output output) {
            int begin = output.length();
            Flow flow = body.run(new Scope(scope), output);
            output.noteGeneration(begin);
            return flow;
        }
    }
}
