package harness;

import java.util.Optional;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.connect.planner.SparkConnectPlanner;
import org.apache.spark.sql.connect.plugin.CommandPlugin;
import org.apache.spark.sql.connect.plugin.RelationPlugin;

/**
 * The messages of {@code DeltaTable}'s Spark Connect client, answered by the Python driver (harness/delta_table), since Delta's own server
 * side is not published.
 */
public final class DeltaMessages implements RelationPlugin, CommandPlugin {
  /** Whoever reads the messages. */
  public interface Reader {
    /** The plan that a relation means, an {@link Throwable} to raise, or null when it is not Delta's. */
    Object relation(byte[] message, SparkConnectPlanner planner);

    /** Carry out a command: true, an {@link Throwable} to raise, or null when it is not Delta's. */
    Object command(byte[] message, SparkConnectPlanner planner);
  }

  private static volatile Reader reader;

  public static void register(Reader given) {
    reader = given;
  }

  @Override
  public Optional<LogicalPlan> transform(byte[] message, SparkConnectPlanner planner) {
    return Optional.ofNullable((LogicalPlan) raised(reader.relation(message, planner)));
  }

  @Override
  public boolean process(byte[] message, SparkConnectPlanner planner) {
    return raised(reader.command(message, planner)) != null;
  }

  private static Object raised(Object answer) {
    if (answer instanceof Throwable error) {
      throw DeltaMessages.<RuntimeException>unchecked(error);
    }
    return answer;
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> T unchecked(Throwable error) throws T {
    throw (T) error; // Spark's own exceptions keep their type, and so their condition and SQL state
  }
}
