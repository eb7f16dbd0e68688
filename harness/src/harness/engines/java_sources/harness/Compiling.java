package harness;

import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.ReturnAnswer;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.SparkStrategy;
import org.apache.spark.sql.internal.SQLConf;
import scala.collection.immutable.List$;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.math.BigInt;

/**
 * Has queries over much data compiled to bytecode, and those over little interpreted: compiling takes longer than running those. It plans
 * nothing itself; it looks at each query as a whole, before it is planned, and sets the session's two settings. A session that has changed
 * one of them itself keeps what it has set (setting what is set already is no change).
 */
final class Compiling extends SparkStrategy {
  private static final BigInt MUCH = BigInt.apply(4 << 20); // bytes of all files and relations that are read
  private static final String STAGES = "spark.sql.codegen.wholeStage";
  private static final String MODE = "spark.sql.codegen.factoryMode";
  private static final String OURS = "spark.harness.compiling"; // what was last set here

  private static final String INTERPRETED = "NO_CODEGEN";
  private static final String COMPILED = "FALLBACK"; // Spark's own default
  private static final String AT_FIRST = "false" + INTERPRETED; // what engines/spark_conf.py sets

  @Override
  public Seq<SparkPlan> apply(LogicalPlan plan) {
    if (plan instanceof ReturnAnswer) {
      set(SQLConf.get(), isMuch(plan));
    }
    return List$.MODULE$.<SparkPlan>empty();
  }

  private static void set(SQLConf conf, boolean compile) {
    String now = conf.getConfString(STAGES, "") + conf.getConfString(MODE, "");
    if (!now.equals(conf.getConfString(OURS, AT_FIRST))) {
      if (now.equals("true" + INTERPRETED)) { // whoever wants stages compiled knows nothing of our mode, with which none is
        conf.setConfString(MODE, COMPILED);
      }
      return;
    }
    String stages = Boolean.toString(compile);
    // Tasks read the mode when they run, after Delta's own small queries about the table: once compiled, expressions stay compiled.
    String mode = compile ? COMPILED : conf.getConfString(MODE, "");
    conf.setConfString(STAGES, stages);
    conf.setConfString(MODE, mode);
    conf.setConfString(OURS, stages + mode);
  }

  private static boolean isMuch(LogicalPlan plan) {
    BigInt bytes = BigInt.apply(0);
    for (LogicalPlan leaf : CollectionConverters.asJava(plan.collectLeaves())) {
      BigInt size = leaf.stats().sizeInBytes();
      if (size.$less(BigInt.apply(Long.MAX_VALUE))) { // else it is not known
        bytes = bytes.$plus(size);
      }
    }
    return bytes.$greater$eq(MUCH);
  }
}
