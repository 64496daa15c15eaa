package io.peft4j.tuning.online.judges;

import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.RewardFunction;
import java.util.List;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The share of GSM8K's calculator marks, {@code <<48/2=24>>}, whose arithmetic is right; 0 without
 * any.
 *
 * <p>A result with decimals is right where the true value rounds to it, one without only where it
 * is the value. A mark that states a number of itself, {@code <<5=5>>}, has no arithmetic and does
 * not count, so that nothing can be had by it; such are 433 of the 27,998 marks in GSM8K's
 * solutions. All but one of the others are right: {@code <<3/4=3/4>>}.
 */
public final class CalculatorMarks implements RewardFunction {

    // a longer one is no calculation that a person would write
    private static final Pattern MARK = Pattern.compile("<<([^<>\\n]{1,200})>>");

    private static final double ROUNDING = 1e-9; // relative, of sums in double

    @Override
    public double[] rewards(List<Completion> completions) {
        return completions.stream().mapToDouble(one -> share(one.text())).toArray();
    }

    private static double share(String text) {
        int counted = 0;
        int right = 0;
        Matcher marks = MARK.matcher(text);
        while (marks.find()) {
            Mark mark = Mark.of(marks.group(1));
            counted += mark == Mark.EMPTY ? 0 : 1;
            right += mark == Mark.RIGHT ? 1 : 0;
        }
        return counted == 0 ? 0 : (double) right / counted;
    }

    private enum Mark {
        RIGHT,
        WRONG,
        EMPTY;

        static Mark of(String text) {
            int equals = text.lastIndexOf('=');
            if (equals < 0) {
                return WRONG;
            }
            String calculation = text.substring(0, equals);
            String result = text.substring(equals + 1).strip();
            OptionalDouble value = Arithmetic.evaluate(calculation);
            OptionalDouble stated = Arithmetic.number(result);
            if (value.isEmpty() || stated.isEmpty() || !isClose(value, stated, result)) {
                return WRONG;
            }
            return Arithmetic.number(calculation).isPresent() ? EMPTY : RIGHT;
        }

        private static boolean isClose(OptionalDouble value, OptionalDouble stated, String result) {
            double exact = value.getAsDouble();
            double unit = result.endsWith("%") ? 0.01 : 1;
            int point = result.indexOf('.');
            int decimals = point < 0 ? 0 : result.replace("%", "").length() - point - 1;
            double halfUnit = decimals == 0 ? 0 : unit * Math.pow(10, -decimals) / 2;
            double slack = ROUNDING * Math.max(unit, Math.abs(exact));
            return Math.abs(exact - stated.getAsDouble()) <= halfUnit + slack;
        }
    }
}
