package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Something that has a value. */
interface Expression {

    Object value(Scope scope);

    record Literal(Object constant) implements Expression {
        @Override
        public Object value(Scope scope) {
            return constant;
        }
    }

    record Name(String name) implements Expression {
        @Override
        public Object value(Scope scope) {
            return scope.get(name);
        }
    }

    record ListOf(List<Expression> elements) implements Expression {
        @Override
        public Object value(Scope scope) {
            List<Object> values = new ArrayList<>();
            elements.forEach(element -> values.add(element.value(scope)));
            return values;
        }
    }

    record TupleOf(List<Expression> elements) implements Expression {
        @Override
        public Object value(Scope scope) {
            return new Tuple(elements.stream().map(element -> element.value(scope)).toList());
        }
    }

    record DictOf(List<Expression> keys, List<Expression> values) implements Expression {
        @Override
        public Object value(Scope scope) {
            Map<Object, Object> map = new LinkedHashMap<>();
            for (int i = 0; i < keys.size(); i++) {
                map.put(keys.get(i).value(scope), values.get(i).value(scope));
            }
            return map;
        }
    }

    record Attribute(Expression owner, String name) implements Expression {
        @Override
        public Object value(Scope scope) {
            return Attributes.attribute(owner.value(scope), name);
        }
    }

    record Item(Expression owner, Expression key) implements Expression {
        @Override
        public Object value(Scope scope) {
            return Attributes.item(owner.value(scope), key.value(scope));
        }
    }

    record Slice(Expression owner, Expression from, Expression to, Expression step)
            implements Expression {
        @Override
        public Object value(Scope scope) {
            return Attributes.slice(
                    owner.value(scope), from.value(scope), to.value(scope), step.value(scope));
        }
    }

    /** The arguments of a call as they are written. */
    record Given(List<Expression> positional, Map<String, Expression> named) {

        static final Given NONE = new Given(List.of(), Map.of());

        Arguments values(Scope scope) {
            List<Object> values = new ArrayList<>();
            positional.forEach(argument -> values.add(argument.value(scope)));
            Map<String, Object> byName = new LinkedHashMap<>();
            named.forEach((name, argument) -> byName.put(name, argument.value(scope)));
            return new Arguments(values, byName);
        }
    }

    record Call(Expression callee, Given arguments) implements Expression {
        @Override
        public Object value(Scope scope) {
            Object called = callee.value(scope);
            if (called instanceof Undefined undefined) {
                throw undefined.refused();
            }
            if (!(called instanceof Function function)) {
                throw new JinjaException(
                        "'" + Values.typeName(called) + "' object is not callable");
            }
            return function.call(arguments.values(scope));
        }
    }

    record Filtered(Expression input, Filters.Filter filter, Given arguments)
            implements Expression {
        @Override
        public Object value(Scope scope) {
            return filter.apply(input.value(scope), arguments.values(scope));
        }
    }

    record Tested(Expression input, Tests.Test test, Given arguments) implements Expression {
        @Override
        public Object value(Scope scope) {
            return test.holds(input.value(scope), arguments.values(scope));
        }
    }

    record Not(Expression operand) implements Expression {
        @Override
        public Object value(Scope scope) {
            return !Values.isTrue(operand.value(scope));
        }
    }

    record Signed(Expression operand, boolean negative) implements Expression {
        @Override
        public Object value(Scope scope) {
            return Operators.apply(negative ? "-" : "+", 0L, operand.value(scope));
        }
    }

    record Binary(String operator, Expression left, Expression right) implements Expression {
        @Override
        public Object value(Scope scope) {
            return Operators.apply(operator, left.value(scope), right.value(scope));
        }
    }

    record And(Expression left, Expression right) implements Expression {
        @Override
        public Object value(Scope scope) {
            Object value = left.value(scope);
            return Values.isTrue(value) ? right.value(scope) : value;
        }
    }

    record Or(Expression left, Expression right) implements Expression {
        @Override
        public Object value(Scope scope) {
            Object value = left.value(scope);
            return Values.isTrue(value) ? value : right.value(scope);
        }
    }

    /** {@code a < b < c}: each operand is evaluated once. */
    record Comparison(Expression first, List<String> operators, List<Expression> others)
            implements Expression {
        @Override
        public Object value(Scope scope) {
            Object left = first.value(scope);
            for (int i = 0; i < others.size(); i++) {
                Object right = others.get(i).value(scope);
                if (!Operators.compare(operators.get(i), left, right)) {
                    return false;
                }
                left = right;
            }
            return true;
        }
    }

    record Concatenation(List<Expression> parts) implements Expression {
        @Override
        public Object value(Scope scope) {
            StringBuilder out = new StringBuilder();
            parts.forEach(part -> out.append(Values.text(part.value(scope))));
            return out.toString();
        }
    }

    record Conditional(Expression condition, Expression then, @Nullable Expression otherwise)
            implements Expression {
        @Override
        public Object value(Scope scope) {
            if (Values.isTrue(condition.value(scope))) {
                return then.value(scope);
            }
            return otherwise == null
                    ? new Undefined("the inline if-expression evaluated to false, without an else")
                    : otherwise.value(scope);
        }
    }
}
