package io.peft4j.tuning.online.judges;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.JsonLines;
import io.peft4j.tuning.online.Answers;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.RewardException;
import io.peft4j.tuning.online.RewardFunction;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The rewards that programs give. */
final class VerifiableRewardsTest {

    /** A mark with anything to calculate; some solutions have none. */
    private static final Pattern CALCULATION = Pattern.compile("<<[^>=]*\\d[^>=]*[-+*/]");

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    #### 1234                      | 1,234
                    It costs $1,234.00.            | 1234
                    4 and 5 make 9                 | 9
                    10-5=5                         | 5
                    it fell to -7 degrees          | -7
                    .50                            | 0.5
                    20%                            | 20
                    #### 72 apples of 100          | 72
                    #### 1 #### 72                 | 72
                    so \\boxed{72} of 100          | 72
                    so \\boxed{\\frac{1}{2}}.      | \\frac{1}{2}
                    the answer is #### Blue.       | blue
                    B                              | B
                    <<4*3=12>>12                   | 4*3 is #### 12
                    """)
    void aFinalAnswerIsRight(String completion, String expected) {
        assertThat(finalAnswer(completion, expected)).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    #### 12345                     | 1,234
                    72, and then 73                | 72
                    72 #### 73                     | 72
                    72 \\boxed{73}                 | 72
                    72 ####                        | 72
                    I do not know                  | 72
                    7                              | -7
                    it is not B                    | B
                    1,2345                         | 12345
                    """)
    void aFinalAnswerIsWrong(String completion, String expected) {
        assertThat(finalAnswer(completion, expected)).isEqualTo(0);
    }

    private static double finalAnswer(String completion, String expected) {
        JsonObject row = new JsonObject();
        row.addProperty("answer", expected);
        return Answers.reward(new FinalAnswer(), Answers.of(row.toString(), completion));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"answer\": 8}",
                "{\"answer\": \"8\", \"completion\": \"9\"}",
                "{\"completion\": \"4+4=8\\n#### 8\"}",
                "{\"completion\": [{\"role\": \"user\", \"content\": \"7\"},"
                        + " {\"role\": \"assistant\", \"content\": \"#### 8\"}]}"
            })
    void theRightAnswerIsReadFromTheRow(String row) {
        assertThat(Answers.reward(new FinalAnswer(), Answers.of(row, "it is 8."))).isEqualTo(1);
        assertThat(Answers.reward(new FinalAnswer(), Answers.of(row, "it is 9."))).isEqualTo(0);
    }

    @Test
    void aRowWithoutAnAnswerIsRefusedBeforehand() {
        for (RewardFunction function : List.of(new FinalAnswer(), new ExactMatch())) {
            function.check(Answers.prompt("{\"prompt\": \"?\", \"answer\": \"1\"}"));
            assertThatThrownBy(
                            () -> function.check(Answers.prompt("{\"prompt\": \"?\", \"a\": 1}")))
                    .isInstanceOf(RewardException.class)
                    .hasMessageContaining("expected \"answer\" or \"completion\"")
                    .hasMessageContaining("[prompt, a]");
        }
    }

    @Test
    void everySolutionOfGsm8kIsRightByItself() throws IOException {
        List<JsonObject> rows = new ArrayList<>();
        JsonLines.read(TestData.path("embedded/sft_train.jsonl"), (where, row) -> rows.add(row));
        assertThat(rows).hasSizeGreaterThan(400);
        for (JsonObject row : rows) {
            String solution = row.get("completion").getAsString();
            Completion completion = Answers.of(row.toString(), solution);
            assertThat(Answers.reward(new FinalAnswer(), completion)).as(solution).isEqualTo(1);
            assertThat(Answers.reward(new ExactMatch(), completion)).as(solution).isEqualTo(1);
            assertThat(Answers.reward(new CalculatorMarks(), completion))
                    .as(solution)
                    .isEqualTo(CALCULATION.matcher(solution).find() ? 1 : 0);
            // the same with another end
            assertThat(
                            Answers.reward(
                                    new FinalAnswer(), Answers.of(row.toString(), solution + "1")))
                    .as(solution)
                    .isEqualTo(0);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    <<48/2=24>>24                          | 1
                    <<48/2=25>>25                          | 0
                    <<1+1=2>> <<1+1=3>> <<2*3=6>> <<4-1=2>>| 0.5
                    no marks, 1+1=2                        | 0
                    <<5=5>>                                | 0
                    <<5=5>> <<1+1=2>>                      | 1
                    <<5=6>> <<1+1=2>>                      | 0.5
                    <<1+1>>                                | 0
                    <<=2>>                                 | 0
                    <<1/0=0>>                              | 0
                    <<100/3=33.33>>                        | 1
                    <<100/3=33.34>>                        | 0
                    <<100/3=33>>                           | 0
                    <<7/2=4>>                              | 0
                    <<2/3=.67>>                            | 1
                    <<1,200+$34=1234>>                     | 1
                    <<20/100*50=10>>                       | 1
                    <<100*20%=20>>                         | 1
                    <<1/4=25%>>                            | 1
                    <<2*(3+4)-1=13>>                       | 1
                    <<2-3-4=-5>>                           | 1
                    <<-2*-3=6>>                            | 1
                    <<+3=3>>                               | 0
                    <<3*+6=18>>                            | 1
                    <<560//10=56>>                         | 1
                    <<3x4=12>>                             | 1
                    <<2*(3+4=14>>                          | 0
                    <<1.2.3+1=2.2>>                        | 0
                    <<3+apples=3>>                         | 0
                    <<0.1+0.2=0.3>>                        | 1
                    """)
    void marksAreRightWhereTheirArithmeticIs(String text, double reward) {
        assertThat(Answers.reward(new CalculatorMarks(), Answers.of("{}", text))).isEqualTo(reward);
    }

    @Test
    void aMatchIsExactButForSpaceAround() {
        String row = "{\"answer\": \" 4\\n\"}";
        assertThat(Answers.reward(new ExactMatch(), Answers.of(row, "\n4 "))).isEqualTo(1);
        assertThat(Answers.reward(new ExactMatch(), Answers.of(row, "4.0"))).isEqualTo(0);
    }

    @Test
    void aPatternIsLookedForAnywhere() {
        PatternMatch somewhere = new PatternMatch(Pattern.compile("#### -?\\d+$"));
        assertThat(Answers.reward(somewhere, Answers.of("{}", "so\n#### 12"))).isEqualTo(1);
        assertThat(Answers.reward(somewhere, Answers.of("{}", "#### 12 apples"))).isEqualTo(0);
        assertThat(somewhere.settings())
                .isNotEqualTo(new PatternMatch(Pattern.compile("####")).settings());
    }

    @ParameterizedTest
    @CsvSource({"79,0", "80,0", "81,-0.05", "90,-0.5", "100,-1", "101,-1", "1000,-1"})
    void anOverlongAnswerIsPunishedSoftly(int length, double reward) {
        // 90 of 100 and 20 is the example in TRL's documentation
        assertThat(Answers.reward(new OverlongPenalty(100, 20), Answers.ofTokens(length)))
                .isEqualTo(reward);
    }

    @Test
    void overlongAnswersArePunishedAsByTrlsOwnFunction() throws IOException {
        JsonArray cases =
                JsonParser.parseString(Files.readString(TestData.path("rewards/overlong.json")))
                        .getAsJsonArray();
        assertThat(cases).hasSize(5);
        for (JsonElement each : cases) {
            JsonObject one = each.getAsJsonObject();
            OverlongPenalty penalty =
                    new OverlongPenalty(
                            one.get("longest").getAsInt(), one.get("margin").getAsInt());
            JsonArray lengths = one.getAsJsonArray("lengths");
            for (int i = 0; i < lengths.size(); i++) {
                assertThat(Answers.reward(penalty, Answers.ofTokens(lengths.get(i).getAsInt())))
                        .as(penalty + " of " + lengths.get(i))
                        .isEqualTo(one.getAsJsonArray("rewards").get(i).getAsDouble());
            }
        }
    }

    @Test
    void withoutAMarginThePunishmentBeginsAtOnce() {
        OverlongPenalty sharp = new OverlongPenalty(4, 0);
        assertThat(Answers.reward(sharp, Answers.ofTokens(4))).isEqualTo(0);
        assertThat(Answers.reward(sharp, Answers.ofTokens(5))).isEqualTo(-1);
        assertThatThrownBy(() -> new OverlongPenalty(4, 5))
                .hasMessage("expected a length above 0 and a margin from 0 to it, found 4 and 5");
    }
}
