// What a trust region needs of a quadratic model, for many dampings μ: one reduction to (bi)diagonal form, and then O(P)
// operations and one product with the reduction's orthogonal factors for each μ. One thread.
//
//     DampedLeastSquares   min_s ‖F s + ρ‖² + μ ‖s‖²      F = Q U B Vᵀ, B upper bidiagonal (or F its transpose if wide)
//     ShiftedSystem        (A + μ I) s = −g               A = Q T Qᵀ, T tridiagonal
//
// Least squares keep the digits of F that FᵀF would lose. Rows √μ I below B are rotated away one at a time.
//
// L. Eldén, "Algorithms for the regularization of ill-conditioned least squares problems", BIT 17 (1977).
#pragma once

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace hessorbit {

using ColumnMatrix = Eigen::MatrixXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

class DampedLeastSquares {
public:
    // rows F (R, P), residual ρ (R)
    DampedLeastSquares(const Eigen::Ref<const RowMatrix>& rows, const Eigen::Ref<const Vector>& residual)
        : wide_(rows.rows() < rows.cols()), qr_(wide_ ? ColumnMatrix(rows.transpose()) : ColumnMatrix(rows)),
          size_(std::min(rows.rows(), rows.cols())) {
        const ColumnMatrix triangle = qr_.matrixQR().topRows(size_).template triangularView<Eigen::Upper>();
        diagonal_ = triangle.diagonal();
        if (size_ > 1) {
            reduction_.emplace(triangle);
            auto band = reduction_->bidiagonal();  // a copy, as the diagonals of a constant one do not compile
            diagonal_ = band.diagonal();
            above_ = band.template diagonal<1>();
        }
        if (wide_) {
            // F = V Bᵀ (Q U)ᵀ. In reversed order the lower bidiagonal Bᵀ is upper bidiagonal.
            target_ = from_right(residual).reverse();
            diagonal_.reverseInPlace(), above_.reverseInPlace();
        } else {
            target_ = to_left(residual);
        }
    }

    Eigen::Index parameters() const { return wide_ ? qr_.rows() : qr_.cols(); }

    // s for μ ≥ 0, and sᵀ (FᵀF + μ I)⁻¹ s.
    std::pair<Vector, double> solve(double damping) {
        rotate(std::sqrt(damping));
        const Vector y = -back(rotated_);
        return {expand(y), forward(y).squaredNorm()};
    }

    // a with (FᵀF + μ I) a = b for the last μ, b being in the row space of F; 0 before the first.
    Vector correct(const Eigen::Ref<const Vector>& b) const {
        if (root_.size() == 0) return Vector::Zero(parameters());
        return expand(back(forward(reduce(b))));
    }

private:
    using Reduction = Eigen::internal::UpperBidiagonalization<ColumnMatrix>;

    // The root R, upper bidiagonal, with RᵀR = BᵀB + μ I, and what the rotations make of the target.
    void rotate(double root) {
        const Eigen::Index n = size_;
        root_ = diagonal_, root_above_ = above_, rotated_ = target_;
        double below = root, carried = 0;  // the row √μ e_iᵀ with what the rows before left in it
        for (Eigen::Index i = 0; i < n; ++i) {
            const double r = std::hypot(diagonal_[i], below);
            const double c = r > 0 ? diagonal_[i] / r : 1, s = r > 0 ? below / r : 0;
            root_[i] = r;
            rotated_[i] = c * target_[i] + s * carried;
            const double rest = c * carried - s * target_[i];
            if (i + 1 == n) return;
            root_above_[i] = c * above_[i];
            const double fill = -s * above_[i];
            below = std::hypot(root, fill);
            carried = below > 0 ? fill / below * rest : 0;
        }
    }

    // R⁻¹ b
    Vector back(const Vector& b) const {
        Vector y = b;
        for (Eigen::Index i = size_ - 1; i >= 0; --i) {
            if (i + 1 < size_) y[i] -= root_above_[i] * y[i + 1];
            y[i] /= root_[i];
        }
        return y;
    }

    // R⁻ᵀ b
    Vector forward(const Vector& b) const {
        Vector y = b;
        for (Eigen::Index i = 0; i < size_; ++i) {
            if (i > 0) y[i] -= root_above_[i - 1] * y[i - 1];
            y[i] /= root_[i];
        }
        return y;
    }

    Vector to_left(const Vector& tall) const {  // (Q U)ᵀ b
        Vector b = (qr_.householderQ().adjoint() * tall).head(size_);
        if (reduction_) b.applyOnTheLeft(reduction_->householderU().adjoint());
        return b;
    }

    Vector from_left(const Vector& y) const {  // Q U y
        Vector b = Vector::Zero(qr_.rows());
        b.head(size_) = y;
        if (reduction_) b.head(size_) = reduction_->householderU() * y;
        return qr_.householderQ() * b;
    }

    Vector from_right(const Vector& b) const {  // Vᵀ b
        if (!reduction_) return b;
        return reduction_->householderV().adjoint() * b;
    }

    Vector to_right(const Vector& y) const {  // V y
        if (!reduction_) return y;
        return reduction_->householderV() * y;
    }

    Vector expand(const Vector& y) const { return wide_ ? from_left(y.reverse()) : to_right(y); }
    Vector reduce(const Vector& b) const { return wide_ ? Vector(to_left(b).reverse()) : from_right(b); }

    bool wide_;
    Eigen::HouseholderQR<ColumnMatrix> qr_;
    Eigen::Index size_;
    mutable std::optional<Reduction> reduction_;  // none for one row or column; householderV() lacks a const
    Vector diagonal_, above_, target_, root_, root_above_, rotated_;
};

class ShiftedSystem {
public:
    // A (P, P) symmetric, g (P)
    ShiftedSystem(const Eigen::Ref<const RowMatrix>& matrix, const Eigen::Ref<const Vector>& gradient)
        : reduction_(ColumnMatrix(matrix)), diagonal_(reduction_.diagonal()), beside_(reduction_.subDiagonal()),
          slopes_(reduction_.matrixQ().adjoint() * Vector(gradient)) {
        Eigen::SelfAdjointEigenSolver<ColumnMatrix> solver;
        solver.computeFromTridiagonal(diagonal_, beside_, Eigen::EigenvaluesOnly);
        lowest_ = solver.eigenvalues().minCoeff();
        largest_ = solver.eigenvalues().cwiseAbs().maxCoeff();
    }

    double lowest() const { return lowest_; }    // eigenvalue
    double largest() const { return largest_; }  // magnitude of an eigenvalue

    // s for μ > −λ_min, and sᵀ (A + μ I)⁻¹ s.
    std::pair<Vector, double> solve(double damping) const {
        const Vector y = -solve_tridiagonal(damping, slopes_);
        return {reduction_.matrixQ() * y, y.dot(solve_tridiagonal(damping, y))};
    }

    // A unit eigenvector of the lowest eigenvalue, by inverse iteration with a shift of a few roundings.
    Vector lowest_vector() const {
        const double shift = 64 * std::numeric_limits<double>::epsilon() * largest_ - lowest_;
        Vector y = Vector::LinSpaced(diagonal_.size(), 1.0, 2.0);
        for (int i = 0; i < 4; ++i) y = solve_tridiagonal(shift, y).stableNormalized();
        return reduction_.matrixQ() * y;
    }

private:
    // (T + μ I)⁻¹ b by L D Lᵀ.
    Vector solve_tridiagonal(double damping, const Vector& b) const {
        const Eigen::Index n = diagonal_.size();
        const double smallest = std::numeric_limits<double>::epsilon() * largest_;
        Vector pivot(n), y = b;
        for (Eigen::Index i = 0; i < n; ++i) {
            const double below = i > 0 ? beside_[i - 1] / pivot[i - 1] : 0;
            // Positive but for rounding.
            pivot[i] = std::max(diagonal_[i] + damping - (i > 0 ? below * beside_[i - 1] : 0), smallest);
            if (i > 0) y[i] -= below * y[i - 1];
        }
        y.array() /= pivot.array();
        for (Eigen::Index i = n - 2; i >= 0; --i) y[i] -= beside_[i] / pivot[i] * y[i + 1];
        return y;
    }

    Eigen::Tridiagonalization<ColumnMatrix> reduction_;
    Vector diagonal_, beside_, slopes_;
    double lowest_, largest_;
};

}  // namespace hessorbit
